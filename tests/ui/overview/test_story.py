"""The histogram of Overview has the colours of Clipping."""

import base64
import re

import numpy as np
import pytest
from PIL import Image, ImageColor

from transclipped.analysis.story import Pairs, Story
from transclipped.datasets.images.decode import open_image
from transclipped.models import zoo
from transclipped.ui.overview import sections, story
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT


def boxes(pairs: Pairs) -> list[tuple[str, float]]:
    """Colours and heights of the histogram's boxes: the shade, then two per bin."""
    drawing = base64.b64decode(re.search(r"base64,([^\"]+)", story.histogram(pairs))[1]).decode()
    assert f'stroke="{story.BORDER}"' in drawing
    return [(colour, float(high)) for high, colour in re.findall(r'height="([\d.]+)" fill="([^"]+)"', drawing)]


def pairs(same: list[int], other: list[int], share: float | None) -> Pairs:
    return Pairs(np.linspace(-1, 1, 3), np.array(same), np.array(other), 0.5, share, share)


def test_pairs_of_one_class_are_blue_and_others_orange():
    assert boxes(pairs([1, 2], [3, 0], 0.5)) == [
        (story.BORDER, 40),
        (IRRELEVANT, 40),
        (RELEVANT, 20),
        (IRRELEVANT, 28.28),
        (RELEVANT, 28.28),
    ]  # heights are square roots


def test_pairs_without_labels_are_grey():
    assert [box for box in boxes(pairs([0, 0], [3, 1], None))[1:] if box[1]] == [(NEUTRAL, 40), (NEUTRAL, 23.09)]


def test_the_line_has_a_distinct_colour():
    assert story.BORDER not in (RELEVANT, IRRELEVANT, NEUTRAL)


@pytest.mark.parametrize(
    ("size", "framed"), [((32, 32), False), ((300, 200), True), ((90, 400), True), ((1, 1), False)]
)
def test_the_square_that_the_network_sees_is_framed_in_an_image_that_is_not_square(size, framed):
    image = open_image(base64.b64decode(re.search(r"base64,([^\"]+)", story._whole(Image.new("RGB", size), 1.0))[1]))
    frame = np.argwhere((np.asarray(image) == ImageColor.getrgb(story.BORDER)).all(-1))
    assert min(len(frame), 1) == framed and max(image.size) <= story.LONGEST * story.SIDE + 1
    if framed:
        (top, left), (bottom, right) = frame.min(0), frame.max(0)
        assert bottom - top == right - left == min(image.size) - 1
        assert abs((top + bottom) - (image.height - 1)) <= 1 and abs((left + right) - (image.width - 1)) <= 1


@pytest.mark.parametrize(
    ("backbone", "name", "makes"),
    [
        (zoo.CNN, "Positions", "a feature vector"),
        *((backbone, "Places", "A small CNN") for backbone in zoo.BUNDLED if backbone != zoo.CNN),
        ("vit_tiny_patch16_224", "Patches", "cuts the image"),
    ],
)
def test_the_second_step_names_what_this_kind_of_network_makes_of_an_image(backbone, name, makes):
    unit = np.eye(2, 4, dtype=np.float32)
    path = Story(unit, unit, np.zeros(2, np.uint8), np.ones(2), 256)
    image = Image.new("RGB", (32, 32))
    text = story.stations(image, path, image_size=96, stride=16, scale=1, kind=sections._kind(backbone))
    assert f"</i>{name}<" in text and makes in text and "6 × 6" in text
    assert ("patches, each" in text) == (name == "Patches")
