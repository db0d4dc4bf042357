"""What the Retrieval page says of hits that tie."""

import numpy as np

from transclipped.search.searcher import Hit
from transclipped.ui.retrieval.sections import itself_first, ties


def hits(*scores: float) -> list[Hit]:
    return [Hit(i, i - 1, i * 10, score, [], []) for i, score in enumerate(scores, 1)]


def test_hits_of_one_code_are_counted_and_others_not():
    codes = np.array([[1, 2], [1, 2], [1, 2], [3, 4], [3, 4], [5, 6]], np.uint8)
    assert ties(hits(*[0.5] * 3), codes).startswith("3 hits have the same code")
    assert ties(hits(*[0.5] * 6), codes).startswith("5 hits share their code with others, 3 one code")
    assert ties(hits(0.5, 0.4), codes[2:4]) == "" and ties([], codes) == ""


def test_an_image_that_asks_comes_before_those_of_its_score_and_never_before_better_ones():
    found = itself_first(hits(0.9, 0.5, 0.5, 0.5, 0.1), {"40"})
    assert [hit.id for hit in found] == [10, 40, 20, 30, 50]
    assert [hit.rank for hit in found] == [1, 2, 3, 4, 5]
    assert itself_first(hits(0.9, 0.5), {"nobody"}) == hits(0.9, 0.5)
