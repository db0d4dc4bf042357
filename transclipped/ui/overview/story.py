"""Drawings of the Overview page as HTML and SVG: one image's way to its code, and small previews behind the doors.

They take the page's text colour and font, so both themes and the projector fit.
"""

from __future__ import annotations

from html import escape

import numpy as np
from PIL import Image

from transclipped.analysis.story import Pairs, Story
from transclipped.datasets.images.decode import data_address, data_url, square, to_png
from transclipped.ui.styles import sheet
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, relevance_colour

SIDE = 128  # pixels of the image, at most
HIT, TINY = 64, 64  # pixels of a preview's image; and up to how many an image is magnified crisp
GAP = 2  # pixels between patches
HITS = {True: "relevant hit", False: "irrelevant hit", None: "hit"}  # as a screen reader says it
SHOWN = 4  # codebooks whose codewords are drawn
BORDER = "#cc79a7"  # the line of a histogram, told apart from both kinds of pairs
COLD, MIDDLE, WARM = (33, 102, 172), (247, 247, 247), (178, 24, 43)  # −1, 0 and 1, as on Codebooks
STYLE = sheet(__file__)


def stations(image: Image.Image, told: Story, *, image_size: int, stride: int, scale: float, cnn: bool) -> str:
    """Six drawings: image, patches, projection, sub-vectors, codewords, code.

    Args:
        image_size: pixels a side that the network is fed.
        stride: pixels a side of a patch.
        scale: of the page, see `shell.scale`.
        cnn: a convolutional network, which has places of a map instead of patches.
    """
    m, d = told.parts.shape
    n = max(1, image_size // stride)
    flat = told.parts.ravel()
    numbers = ", ".join(_number(value) for value in flat[:4])
    places = "places, each a list of numbers" if cnn else "patches, each compared with all others"
    drawn = [
        ("Image", _whole(image, scale), "A real image of this run. Nobody told the network what it shows."),
        ("Patches", _patches(image, image_size, n, scale), f"The network sees {n} × {n} {places}."),
        ("Projection", _stripe(flat, 34) + f'<span class="number">{numbers}, …</span>',
         f"What it sees becomes an embedding, which a learned matrix projects to {m * d} numbers (blue below 0, red "
         "above); similar images get similar ones."),
        ("Sub-vectors", "".join(_stripe(part, 12) for part in told.parts),
         f"Cut into {m} pieces of {d} numbers, each brought to length 1, as drawn in 3."),
        ("Codewords", _codewords(told),
         f"Each piece (top) is replaced by the most similar of {told.n_codewords} learned codewords (below)."),
        ("Code", _code(told), f"{m} bytes are all that is stored; the {m * d} numbers would take {4 * m * d}."),
    ]  # fmt: skip
    items = "".join(
        f'<div class="station"><b><i>{i}</i>{name}</b><div class="drawing">{drawing}</div><p>{escape(text)}</p></div>'
        for i, (name, drawing, text) in enumerate(drawn, 1)
    )
    return f'{STYLE}<div class="story"><div class="stations">{items}</div></div>'


def hits(image: Image.Image, found: list[tuple[bytes, bool | None]], *, scale: float) -> str:
    """A query and what it finds: encoded images, each with whether it shares a label. Tiny ones are drawn crisp."""
    tiny = max(image.size) <= TINY
    side = max(image.size) * max(1, round(HIT * scale / max(image.size))) if tiny else round(HIT * scale)
    box = f"width:{side}px;height:{side}px;image-rendering:{'pixelated' if tiny else 'auto'}"
    shown = "".join(_framed(encoded, relevance_colour(relevant), HITS[relevant], box) for encoded, relevant in found)
    query = _framed(_png(image), "currentColor", "the query", box)
    return f'<div class="preview"><div class="hits">{query} → {shown}</div></div>'


def histogram(found: Pairs) -> str:
    """Similarities of pairs, and where the most similar 5 % begin.

    Colours are those of Clipping: blue of one class, in front, orange of different ones, grey where nobody knows.
    """
    behind = NEUTRAL if found.share is None else IRRELEVANT
    total, width = (found.same + found.other).max(initial=1), 100 / len(found.same)
    bars = ""
    for i, (same, other) in enumerate(zip(found.same.tolist(), found.other.tolist(), strict=True)):
        high, low = 40 * (same + other) / total, 40 * same / total
        bars += _rect(i * width, 40 - high, width * 0.92, high, behind)
        bars += _rect(i * width, 40 - low, width * 0.92, low, RELEVANT)
    at = 100 * (found.border - found.edges[0]) / (found.edges[-1] - found.edges[0])
    line = f'<line x1="{at:.1f}" x2="{at:.1f}" y1="0" y2="40" stroke="{BORDER}" stroke-width="1.2"/>'
    shade = _rect(at, 0, 100 - at, 40, BORDER, opacity=0.2)
    return f'<div class="preview">{_svg(shade + bars + line, 100, 40)}</div>'


def sparkline(values: list[float]) -> str:
    """A falling or rising line, from left to right, filling its box."""
    if len(values) < 2:
        return '<div class="preview"></div>'
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    points = " ".join(
        f"{100 * i / (len(values) - 1):.2f},{38 - 36 * (value - low) / span:.2f}" for i, value in enumerate(values)
    )
    line = f'<polyline points="{points}" fill="none" stroke="{RELEVANT}" stroke-width="1.4" stroke-linejoin="round"/>'
    return f'<div class="preview">{_svg(line, 100, 40)}</div>'


def _whole(image: Image.Image, scale: float) -> str:
    side = int(SIDE * scale)
    times = max(1, side // max(image.size))
    shown = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    shown.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _image(shown, "the image")


def _patches(image: Image.Image, image_size: int, n: int, scale: float) -> str:
    """The square that the network sees, cut into n × n pieces."""
    seen = square(image, min(image_size, max(image.size)))
    times = max(1, int(SIDE * scale) // image_size)
    side = max(1, image_size * times // n)  # of a patch on the screen
    crisp = side * n % seen.width == 0
    seen = seen.resize((side * n, side * n), Image.Resampling.NEAREST if crisp else Image.Resampling.BICUBIC)
    page = Image.new("RGBA", (side * n + GAP * (n - 1),) * 2)
    for row in range(n):
        for column in range(n):
            box = (column * side, row * side, (column + 1) * side, (row + 1) * side)
            page.paste(seen.crop(box), (column * (side + GAP), row * (side + GAP)))
    return _image(page, f"the image in {n} × {n} patches")


def _codewords(told: Story) -> str:
    lines = []
    for part, word, code, cosine in list(zip(told.parts, told.codewords, told.code, told.cosine, strict=True))[:SHOWN]:
        lines.append(
            f"<div>{_stripe(part, 5)}{_stripe(word, 5)}"
            f'<span class="number">codeword {int(code)}, cosine {cosine:.2f}</span></div>'
        )
    more = len(told.parts) - SHOWN
    return "".join(lines) + (f'<span class="number">and {more} more</span>' if more > 0 else "")


def _code(told: Story) -> str:
    boxes = "".join(f"<span>{int(code)}</span>" for code in told.code)
    bits = " ".join(f"{int(code):08b}" for code in told.code)
    return f'<div class="bytes">{boxes}</div><div class="bits">{bits}</div>'


def _stripe(values: np.ndarray, height: float) -> str:
    """Numbers as a row of coloured cells; the largest of them, either way, has the full colour."""
    top = float(np.abs(values).max()) or 1.0
    cells = "".join(_rect(i, 0, 1.02, 1, _colour(value / top)) for i, value in enumerate(values.tolist()))
    return _svg(cells, len(values), 1, style=f"height:{height}px")


def _colour(value: float) -> str:
    end = WARM if value > 0 else COLD
    mixed = [round(middle + (tip - middle) * min(1.0, abs(value))) for middle, tip in zip(MIDDLE, end, strict=True)]
    return "#" + "".join(f"{channel:02x}" for channel in mixed)


def _svg(content: str, width: int, height: int, *, style: str = "") -> str:
    """A drawing as an image, since Streamlit strips SVG out of HTML; it is stretched where `style` says so."""
    stretched = ' preserveAspectRatio="none"' if style else ""
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"{stretched}>{content}</svg>'
    source = data_address(drawing.encode(), "image/svg+xml")
    return f'<img class="svg" alt="" src="{source}" style="{style}">'


def _rect(x: float, y: float, width: float, height: float, colour: str, *, opacity: float = 1) -> str:
    faint = "" if opacity == 1 else f' opacity="{opacity}"'
    return f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"{faint}/>'


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def _framed(encoded: bytes, colour: str, what: str, box: str) -> str:
    line = "dashed" if what == HITS[False] else "solid"
    return f'<img alt="{what}" src="{_url(encoded)}" style="{box};outline-color:{colour};outline-style:{line}">'


def _png(image: Image.Image) -> bytes:
    """Encoded at the size it is shown, at most."""
    small = image.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return to_png(small)


def _image(image: Image.Image, what: str) -> str:
    return f'<img alt="{what}" width="{image.width}" src="{data_url(image)}">'


def _url(encoded: bytes) -> str:
    kind = "png" if encoded.startswith(b"\x89PNG") else "webp" if encoded[8:12] == b"WEBP" else "jpeg"
    return data_address(encoded, f"image/{kind}")
