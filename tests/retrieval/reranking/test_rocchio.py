"""Relevance feedback against loops, and the effect of a mark on a score."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, coded, flat
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.reranking.rocchio import pseudo_feedback, rocchio


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def random_index(seed, *, n=9, m=4, d=3):
    rng = np.random.default_rng(seed)
    codebooks = unit(rng.normal(size=(m, 16, d))).astype(np.float32)
    codes = rng.integers(16, size=(n, m)).astype(np.uint8)
    query = unit(rng.normal(size=(m, d))).ravel().astype(np.float32)
    return PQIndex(codebooks, codes), query, decode(codebooks, codes)


def by_loops(query, good, bad, *, m, alpha, beta, gamma):
    """Rocchio's formula, number by number, each sub-vector then divided by its length."""
    d = len(query) // m
    moved = []
    for i in range(len(query)):
        value = alpha * float(query[i])
        value += beta * sum(float(item[i]) for item in good) / len(good) if len(good) else 0
        value -= gamma * sum(float(item[i]) for item in bad) / len(bad) if len(bad) else 0
        moved.append(value)
    for start in range(0, len(moved), d):
        length = math.sqrt(sum(value**2 for value in moved[start : start + d]))
        moved[start : start + d] = [value / length for value in moved[start : start + d]]
    return moved


@pytest.mark.parametrize(("good", "bad"), [(0, 1), (1, 0), (3, 2), (2, 4)])
def test_equals_the_formula_in_loops(good, bad):
    _, query, items = random_index(good + 10 * bad)
    weights = {"alpha": 0.9, "beta": 0.6, "gamma": 0.25}
    result = rocchio(query, items[:good], items[good : good + bad], codebooks=4, **weights)
    expected = by_loops(query, items[:good], items[good : good + bad], m=4, **weights)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_queries_stay_without_marks_or_where_they_cancel_out():
    _, query, items = random_index(0)
    np.testing.assert_allclose(rocchio(query, items[:0], items[:0], codebooks=4), query, atol=1e-6)
    query = np.array([1, 0, 0, 1], np.float32)
    result = rocchio(query, np.zeros((0, 4)), query[None], codebooks=2, gamma=1.0)
    np.testing.assert_array_equal(result, query)


@given(seed=st.integers(0, 500), row=st.integers(0, 8))
@settings(max_examples=40, deadline=None)
def test_a_mark_never_moves_its_item_the_wrong_way(seed, row):
    index, query, items = random_index(seed)
    none, one = items[:0], items[row : row + 1]
    before = index.explain(query, np.array([row])).sum()
    assert index.explain(rocchio(query, one, none, codebooks=4), np.array([row])).sum() >= before - 1e-6
    assert index.explain(rocchio(query, none, one, codebooks=4), np.array([row])).sum() <= before + 1e-6


def test_the_good_one_of_two_groups_comes_first():
    codebooks = np.eye(2, dtype=np.float32)[None]  # one codebook of two orthogonal codewords
    index = PQIndex(codebooks, np.array([[0], [1]], np.uint8))
    between = unit(np.array([1.0, 1.0])).astype(np.float32)
    items = decode(codebooks, index.codes)
    result = rocchio(between, items[1:], items[:1], codebooks=1)
    assert index.search(result[None], 2).rows.tolist() == [[1, 0]]


@pytest.mark.parametrize("shapes", [((8,), (2, 7), (0, 8)), ((8,), (0, 8), (8,)), ((9,), (0, 9), (0, 9))])
def test_wrong_shapes_and_negative_weights_are_refused(shapes):
    with pytest.raises(ValueError, match="multiple of 4"):
        rocchio(*(np.ones(shape) for shape in shapes), codebooks=4)
    with pytest.raises(ValueError, match="negative"):
        rocchio(np.ones(4), np.ones((0, 4)), np.ones((0, 4)), codebooks=4, gamma=-1)


@pytest.mark.parametrize(("good", "bad"), [(5, 4), (3, 0), (0, 6), (20, 5)])
@pytest.mark.parametrize("m", [1, 4])
def test_first_hits_count_as_good_and_the_last_others_as_bad(m, good, bad):
    hits, collection = coded() if m == 4 else flat(*clustered(60))
    again = pseudo_feedback(hits, collection, good=good, bad=bad)
    items = collection.items * m
    for q, query in enumerate(collection.queries):
        rows = hits.rows[q].tolist()
        last = [row for row in rows[len(rows) - bad :] if row not in rows[:good]]
        marked = items[rows[:good]], items[last]
        expected = by_loops(query, *marked, m=m, alpha=1.0, beta=0.75, gamma=0.15)
        np.testing.assert_allclose(again.queries[q], expected, atol=1e-5)
    np.testing.assert_array_equal(again.rows, collection.search(again.queries, 20).rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(pseudo_feedback(hits, collection), collection.index.n, hits.rows.shape)
