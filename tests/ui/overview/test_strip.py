"""The strip and the pair of numbers on Overview: HTML with their numbers, and texts only where they hold."""

import base64
import re

import pytest
from PIL import Image

from transclipped.analysis.headline import Headline, InvertedU
from transclipped.analysis.story import Negatives
from transclipped.datasets.images.decode import open_image, to_png
from transclipped.ui.overview import numbers, strip
from transclipped.ui.overview.strip import Tile

PNG = to_png(Image.new("RGB", (4, 4), "red"))


def drawn(negatives: Negatives, label: str = "cat") -> str:
    tiles = [Tile(PNG, label)] * len(negatives.rows)
    return strip.strip(Tile(PNG, label), Tile(PNG, ""), tiles, negatives, scale=1.0, turn=0)


def kinds(html: str) -> list[str]:
    return re.findall(r'<figure class="([^"]+)"', html)


def test_false_negatives_are_blue_and_clipped_ones_have_scissors():
    html = drawn(Negatives([3, 5, 9], [0.9, 0.4, -0.25], [True, False, True], [True, True, False]))
    assert kinds(html) == ["view", "anchor", "negative same clipped", "negative other clipped", "negative same"]
    assert html.count('scissors"') == 2
    assert [f"{c}" in html for c in ("0.90", "0.40", "−0.25")] == [True] * 3


def test_every_image_has_a_description():
    html = drawn(Negatives([3, 5], [0.9, 0.4], [True, None], [True, False]))
    alts = re.findall(r'<img alt="([^"]*)"', html)
    assert len(alts) == html.count("<img") == 4 and all(alts) and len(set(alts)) == 4


def test_names_of_classes_are_escaped():
    html = drawn(Negatives([3], [0.9], [True], [True]), label='<b onclick="x">')
    assert "<b" not in html and "&lt;b" in html and 'onclick="x"' not in html


def test_the_explanation_claims_what_the_numbers_show():
    def text(same: list, clipped: list) -> str:
        return strip.explanation(Negatives([0] * len(same), [0.0] * len(same), same, clipped))

    two, none = text([True, True, False], [True, True, False]), text([None, None], [False, False])
    assert "2 of these 3" in two and "[false negatives]" in two and "✂" in two
    assert "of these" not in none and "✂" not in none
    assert "1 of these 2 shares" in text([True, False], [False, False])


def test_another_turn_is_other_html():
    negatives = Negatives([1], [0.5], [True], [True])
    tiles = [Tile(PNG, "")]
    turns = {strip.strip(tiles[0], tiles[0], tiles, negatives, scale=1.0, turn=turn) for turn in (0, 1)}
    assert len(turns) == 2


def test_motion_is_only_for_those_who_did_not_refuse_it():
    css = strip.STYLE
    at = css.index("@media (prefers-reduced-motion: no-preference)")
    assert "animation:" in css[at:] and "animation:" not in css[:at]


@pytest.mark.parametrize("size", [(32, 32), (60, 20), (1, 7)])
def test_the_other_view_is_the_mirrored_square(size):
    image = Image.effect_noise(size, 90).convert("RGB")
    side = min(size)
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    expected = image.crop((left, top, left + side, top + side)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    assert open_image(strip.mirrored(image)).tobytes() == expected.tobytes()


def test_the_pair_has_both_numbers_and_the_gain():
    html = numbers.pair(Headline(0.5, 0.625, (0.125,), ("none, <i>", "rank"), "b"))
    assert "0.500" in html and "0.625" in html and "+0.125" in html and "<i>," not in html and "none, &lt;i&gt;" in html


def test_the_curve_has_more_clipping_left_and_no_clipping_at_the_right_end():
    html = numbers.curve(InvertedU((0.2, 0.4, 0.6), (0.1, 0.9, 0.5), 0.4, 500))
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode()
    points = [tuple(map(float, p.split(","))) for p in re.search(r'points="([^"]+)"', svg)[1].split()]
    assert [x for x, _ in points] == sorted(x for x, _ in points) and len(points) == 4
    heights = [-y for _, y in points]  # y grows downwards
    assert sorted(range(4), key=heights.__getitem__) == [0, 3, 2, 1]
    assert f'y1="{points[-1][1]:.1f}"' in svg  # the dashed line is the level of no clipping
    assert html.index("more is clipped") < html.index(">no clipping<")


def test_equal_values_make_a_flat_curve():
    html = numbers.curve(InvertedU((0.2,), (0.4,), 0.4, 5))
    svg = base64.b64decode(re.search(r"base64,([^\"]+)", html)[1]).decode()
    assert "nan" not in svg and len(set(re.findall(r'cy="([\d.]+)"', svg))) == 1
