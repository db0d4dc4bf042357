"""The histogram of Overview has the colours of Clipping."""

import base64
import re

import numpy as np

from transclipped.analysis.story import Pairs
from transclipped.ui.overview import story
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
        (RELEVANT, 10),
        (IRRELEVANT, 20),
        (RELEVANT, 20),
    ]


def test_pairs_without_labels_are_grey():
    assert [box for box in boxes(pairs([0, 0], [3, 1], None))[1:] if box[1]] == [(NEUTRAL, 40), (NEUTRAL, 13.33)]


def test_the_line_has_a_distinct_colour():
    assert story.BORDER not in (RELEVANT, IRRELEVANT, NEUTRAL)
