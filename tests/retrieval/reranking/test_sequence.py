"""Sequence match: against loops, on a walk that returns, and on ugly collections."""

import numpy as np
import pytest

import transclipped as tc
from tests.retrieval.clustered import UGLY, assert_in_order, clustered, coded, flat
from transclipped.errors import InputError
from transclipped.retrieval import lists
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.reranking.sequence import diagonals, sequence
from transclipped.retrieval.stages import Collection


def mean_of_diagonal(s, q, i, length):
    values = []
    while len(values) < length and q >= 0 and i >= 0:
        values.append(float(s[q, i]))
        q, i = q - 1, i - 1
    return sum(values) / len(values)


@pytest.mark.parametrize("length", [1, 3, 7, 100])
@pytest.mark.parametrize("shape", [(12, 20), (20, 12), (1, 5), (5, 1)])
def test_means_along_diagonals_are_those_of_loops(shape, length):
    s = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    copy = s.copy()
    expected = [[mean_of_diagonal(s, q, i, length) for i in range(shape[1])] for q in range(shape[0])]
    np.testing.assert_allclose(diagonals(s, length), expected, atol=1e-5)
    np.testing.assert_array_equal(s, copy)


@pytest.mark.parametrize("make", [lambda: flat(*clustered(40, queries=25)), coded])
@pytest.mark.parametrize("exclude", [0, 4])
def test_hits_are_the_best_of_all_items_in_blocks_of_any_size(make, exclude, monkeypatch):
    hits, collection = make()
    s = collection.queries @ collection.items.T
    whole = sequence(hits, collection, length=6, exclude=exclude)
    for q in range(len(s)):
        scored = {i: mean_of_diagonal(s, q, i, 6) for i in range(s.shape[1]) if not abs(i - q) < exclude}
        best = sorted(scored.values(), reverse=True)[: whole.rows.shape[1]]
        np.testing.assert_allclose(whole.scores[q], best, atol=1e-5)
        np.testing.assert_allclose([scored[i] for i in whole.rows[q].tolist()], best, atol=1e-5)
    monkeypatch.setattr(lists.parts, "__defaults__", (3 * 4 * s.shape[1],))  # three queries at once
    blocks = sequence(hits, collection, length=6, exclude=exclude)
    np.testing.assert_array_equal(blocks.rows, whole.rows)


def test_length_1_is_the_first_search():
    hits, collection = flat(*clustered(60))
    again = sequence(hits, collection, length=1)
    np.testing.assert_array_equal(again.rows, hits.rows)
    np.testing.assert_allclose(again.scores, hits.scores, atol=1e-6)


def test_excluded_items_come_last_and_none_is_lost():
    items, _ = clustered(9)
    hits, collection = flat(items, items)
    for q, rows in enumerate(sequence(hits, collection, length=2, exclude=3).rows.tolist()):
        close = [abs(i - q) < 3 for i in rows]
        assert sorted(rows) == list(range(9)) and close == sorted(close)


def test_a_return_is_recognised_the_better_the_longer_the_sequence():
    rng = np.random.default_rng(0)
    walk = rng.normal(size=(200, 16))
    walk[140:] = walk[30:90]  # the walk passes 60 places again
    frames = (walk + 1.0 * rng.normal(size=walk.shape)).astype(np.float32)
    frames /= np.linalg.norm(frames, axis=1, keepdims=True)
    collection = Collection(FlatIndex(frames, codebooks=1), frames)
    hits = collection.search(frames, 5)
    right = [
        np.mean(sequence(hits, collection, length=length, exclude=10).rows[150:, 0] == np.arange(40, 90))
        for length in (1, 3, 10)
    ]
    assert right[0] + 0.1 < right[1] < right[2] - 0.1 and right[2] > 0.9


@pytest.mark.parametrize("case", UGLY)
@pytest.mark.parametrize("exclude", [0, 2])
def test_ugly_collections_give_hits_in_order(case, exclude):
    hits, collection = UGLY[case]()
    assert_in_order(sequence(hits, collection, exclude=exclude), collection.index.n, hits.rows.shape)


def test_a_line_names_it_and_refuses_no_length():
    items, queries = clustered(50)
    pipeline = tc.Pipeline("l2 | float | sequence(3)").fit(items)
    expected = sequence(*flat(items, queries, k=4), length=3)
    np.testing.assert_array_equal(pipeline.search(queries, k=4).rows, expected.rows)
    with pytest.raises(InputError, match="length"):
        tc.Pipeline("l2 | float | sequence(0)")
