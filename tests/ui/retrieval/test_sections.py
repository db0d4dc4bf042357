"""Bars of what a codebook adds to a score, in words too, and the caption of tied hits."""

import re

import numpy as np
import pytest

from transclipped.search.searcher import Hit
from transclipped.ui.retrieval.charts import score_bar
from transclipped.ui.retrieval.sections import ties
from transclipped.ui.retrieval.why import part


@pytest.mark.parametrize(
    ("value", "best", "top", "expected"),
    [(0.1, 0.15, 0.2, [50, 75]), (0.2, 0.2, 0.2, [100, 100]), (-0.1, 0.1, 0.2, [0, 50]), (-0.2, -0.1, -0.1, [0, 0])],
)
def test_bar_and_line_are_shares_of_the_largest_and_empty_below_zero(value, best, top, expected):
    bar = score_bar(value, best, top=top)
    assert [float(share) for share in re.findall(r"(?:width: |calc\()([\d.]+)%", bar)] == expected
    assert f"{value:.3f} of at most {best:.3f}" in bar


def hits(*scores: float) -> list[Hit]:
    return [Hit(i, i - 1, i * 10, score, [], []) for i, score in enumerate(scores, 1)]


def test_only_hits_that_share_a_code_are_counted():
    codes = np.array([[1, 2], [1, 2], [1, 2], [3, 4], [3, 4], [5, 6]], np.uint8)
    assert re.findall(r"\d+", ties(hits(*[0.5] * 3), codes)) == ["3"]
    assert re.findall(r"\d+", ties(hits(*[0.5] * 6), codes)) == ["5", "3"]
    assert ties(hits(0.5, 0.4), codes[2:4]) == "" and ties([], codes) == ""


@pytest.mark.parametrize(("m", "word"), [(1, "its"), (2, "half"), (4, "quarter"), (8, "eighth"), (16, "1/16")])
def test_each_codebook_adds_its_part_of_a_cosine(m, word):
    assert word in part(m) and part(m).endswith("its cosine")
