"""Text and graphics stand out from both backgrounds, and colours from each other with any kind of colour vision.

Contrast: WCAG 2.2, success criteria 1.4.3 (text, 4.5:1) and 1.4.11 (graphics, 3:1).
"""

import re
import tomllib

import numpy as np
import pytest

from transclipped.ui import shell, theme

THEMES = tomllib.loads((shell.ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))["theme"]
SCHEMES = ("light", "dark")
GRAPHICS = {*theme.CLASS_COLOURS, theme.RELEVANT, theme.IRRELEVANT, theme.NEUTRAL}
VISION = {  # Machado et al. 2009, severity 1: rows of the matrix on linear RGB
    "full": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
LEAST = {"full": 0.13, "protanopia": 0.075, "deuteranopia": 0.075, "tritanopia": 0.055}  # OKLab distance


def channels(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def linear(colour: str) -> list[float]:
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]


def contrast(one: str, other: str) -> float:
    high, low = sorted((np.dot(linear(c), [0.2126, 0.7152, 0.0722]) + 0.05 for c in (one, other)), reverse=True)
    return high / low


def blended(colour: str, background: str, opacity: float) -> str:
    pairs = zip(channels(colour), channels(background), strict=True)
    return "#" + "".join(f"{round(255 * (opacity * c + (1 - opacity) * b)):02x}" for c, b in pairs)


def backgrounds(scheme: str) -> list[str]:
    return [THEMES[scheme][name] for name in ("backgroundColor", "secondaryBackgroundColor")]


def opacity(selector: str) -> float:
    """Opacity of a rule of the shell's style sheet."""
    css = (shell.ROOT / "transclipped/ui/shell.css").read_text(encoding="utf-8")
    (block,) = re.findall(re.escape(selector) + r" \{([^}]*)\}", css)
    return float(re.search(r"opacity: ([\d.]+)", block)[1])


def test_contrast_of_known_pairs():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # the usual example of a near miss


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_captions_and_links_are_legible(scheme):
    text = THEMES[scheme]["textColor"]
    faint = [opacity('.stApp [data-testid="stCaptionContainer"]'), opacity('[class*="st-key-save-"] button')]
    for background in backgrounds(scheme):
        assert contrast(text, background) >= 7
        assert all(contrast(blended(text, background, one), background) >= 4.5 for one in faint)
        assert contrast(THEMES[scheme]["primaryColor"], background) >= 4.5


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("colour", sorted(GRAPHICS))
def test_graphics_stand_out_from_the_background(scheme, colour):
    assert contrast(colour, THEMES[scheme]["backgroundColor"]) >= 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_ring_of_focus_is_visible(scheme):
    ring = re.findall(r"#\w{6}", theme.FOCUS)[SCHEMES.index(scheme)]
    assert ring == THEMES[scheme]["primaryColor"]
    assert all(contrast(ring, background) >= 3 for background in backgrounds(scheme))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_word_of_the_glossary_is_explained_legibly(scheme):
    css = (shell.ROOT / "transclipped/ui/glossary.css").read_text(encoding="utf-8")
    pairs = re.findall(r"(color|background): light-dark\(([^)]*)\)", css)
    ink, paper = (dict(pairs)[name].split(", ")[SCHEMES.index(scheme)] for name in ("color", "background"))
    assert contrast(ink if len(ink) == 7 else "#" + 2 * ink[1:], paper) >= 7


def test_charts_use_the_class_colours_in_both_themes():
    assert all(THEMES[scheme]["chartCategoricalColors"] == list(theme.CLASS_COLOURS) for scheme in SCHEMES)


def test_no_class_has_the_grey_of_what_is_not_selected():
    for colour in theme.CLASS_COLOURS:
        assert max(channels(colour)) - min(channels(colour)) > 0.2
        assert distance(colour, theme.NEUTRAL, "full") > 0.07


@pytest.mark.parametrize("vision", VISION)
def test_class_colours_differ_for_any_colour_vision(vision):
    colours = theme.CLASS_COLOURS
    pairs = [(one, other) for i, one in enumerate(colours) for other in colours[:i]]
    assert min(distance(*pair, vision) for pair in pairs) >= LEAST[vision]


def distance(one: str, other: str, vision: str) -> float:
    """Euclidean distance in OKLab (Ottosson 2020)."""
    return float(np.linalg.norm(np.subtract(*(oklab(np.array(VISION[vision]) @ linear(c)) for c in (one, other)))))


def oklab(rgb: np.ndarray) -> np.ndarray:
    r, g, b = np.clip(rgb, 0, 1)
    cones = np.cbrt(
        [
            0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b,
            0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b,
            0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b,
        ]
    )
    rows = [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
    return np.array(rows) @ cones


@pytest.mark.parametrize("colour", [theme.RELEVANT, theme.IRRELEVANT, theme.NEUTRAL])
def test_the_pale_form_stands_out_from_the_dark_background_and_from_the_strong_form(colour):
    red, green, blue, alpha = map(float, re.findall(r"[\d.]+", theme.pale(colour)))
    light = f"#{int(red):02x}{int(green):02x}{int(blue):02x}"
    dark, white = (blended(light, THEMES[scheme]["backgroundColor"], alpha) for scheme in ("dark", "light"))
    assert contrast(dark, THEMES["dark"]["backgroundColor"]) >= 3
    assert contrast(white, colour) > 1.8
