"""Filtered and sorted hits against a loop, and their ranks, which stay."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.search.arrange import ALL, BEST, CLASS, MISTAKES, OTHER, SAME, WORST, Arrangement, arranged
from transclipped.search.searcher import Hit

LABELS = [["cat"], ["dog"], [], ["cat", "dog"], ["frog"]]
orders, kinds = st.sampled_from([BEST, WORST, CLASS, MISTAKES]), st.sampled_from([ALL, SAME, OTHER])


def hits_of(rows):
    return [Hit(rank, row, row, 1 / rank, LABELS[row % 5], []) for rank, row in enumerate(rows, 1)]


@given(st.permutations(range(12)), st.sets(st.sampled_from(["cat", "dog", "none"])), kinds, orders, st.integers(0, 14))
def test_what_passes_is_what_the_loop_finds_in_any_order(rows, classes, kind, order, top):
    hits, relevant = hits_of(rows), np.arange(12) % 3 == 0
    result = arranged(hits, relevant, Arrangement(frozenset(classes), kind, order), top=top)
    expected = []
    for hit in hits:
        if classes and not any(label in classes for label in hit.labels):
            continue
        if (kind == SAME and not relevant[hit.row]) or (kind == OTHER and relevant[hit.row]):
            continue
        expected.append(hit)
    assert sorted(hit.rank for hit in result) == [hit.rank for hit in expected[:top]]
    if order == BEST:
        assert result == expected[:top]


def test_orders():
    hits, relevant = hits_of(range(6)), np.array([True, False, True, False, True, True])
    ranks = {
        order: [h.rank for h in arranged(hits, relevant, Arrangement(order=order), top=9)]
        for order in (BEST, WORST, CLASS, MISTAKES)
    }
    assert ranks == {
        BEST: [1, 2, 3, 4, 5, 6],
        WORST: [6, 5, 4, 3, 2, 1],
        CLASS: [3, 1, 6, 4, 2, 5],
        MISTAKES: [2, 4, 1, 3, 5, 6],
    }


@pytest.mark.parametrize("kind", [SAME, OTHER])
def test_where_relevance_is_unknown_nothing_is_left_out_or_moved_by_it(kind):
    hits = hits_of(range(4))
    assert arranged(hits, None, Arrangement(kind=kind, order=MISTAKES), top=4) == hits


def test_only_classes_and_kinds_filter():
    assert not Arrangement(order=CLASS).filters
    assert Arrangement(kind=OTHER).filters and Arrangement(frozenset({"cat"})).filters
