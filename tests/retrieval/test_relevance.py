"""Relevance against loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.retrieval import relevance as module
from transclipped.retrieval.relevance import has_any, n_relevant, relevance


def test_relevance_is_a_shared_label_and_unlabelled_items_have_none():
    labels = np.array([0, -1, 1])
    np.testing.assert_array_equal(relevance(np.array([0, -1]), labels), [[1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(n_relevant(np.array([0, -1, 7]), labels), [1, 0, 0])
    items = np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0]], np.uint8)
    queries = np.array([[1, 0, 1], [0, 0, 0]], np.uint8)
    expected = [[True, True, False], [False, False, False]]
    np.testing.assert_array_equal(relevance(queries, items), expected)
    np.testing.assert_array_equal(relevance(queries, items, np.tile([0, 1, 2], (2, 1))), expected)
    np.testing.assert_array_equal(n_relevant(queries, items), [2, 0])


@given(st.booleans(), st.integers(0, 99))
def test_rows_and_counts_agree_with_a_loop(single, seed):
    rng = np.random.default_rng(seed)
    queries, items = (rng.integers(-1, 3, n) if single else rng.integers(0, 2, (n, 3)) for n in (5, 12))
    shared = (
        (lambda a, b: a == b and a >= 0) if single else (lambda a, b: any(x and y for x, y in zip(a, b, strict=True)))
    )
    expected = np.array([[shared(a, b) for b in items] for a in queries])
    rows = np.stack([rng.permutation(12)[:4] for _ in range(5)])
    np.testing.assert_array_equal(relevance(queries, items), expected)
    np.testing.assert_array_equal(relevance(queries, items, rows), np.take_along_axis(expected, rows, 1))
    np.testing.assert_array_equal(n_relevant(queries, items), expected.sum(1))


def test_counts_do_not_depend_on_the_chunk(monkeypatch):
    labels = np.random.default_rng(0).integers(0, 2, (9, 4))
    whole = n_relevant(labels, labels)
    monkeypatch.setattr(module, "CHUNK", 2)
    np.testing.assert_array_equal(n_relevant(labels, labels), whole)
    assert n_relevant(labels[:0], labels).shape == (0,)


@pytest.mark.parametrize(
    "labels", [np.array([0, 2, -1, 1]), np.array([[1, 0, 0], [0, 1, 1], [0, 0, 0], [0, 1, 0]], np.uint8)]
)
def test_items_of_any_of_some_classes(labels):
    assert has_any(labels, [0, 2]).tolist() == [True, True, False, False]
