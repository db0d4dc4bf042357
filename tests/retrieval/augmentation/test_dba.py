"""Database augmentation and smoothing against loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.retrieval.augmentation.dba import dba, smooth
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.vectors import unit


def some(n, d=5, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(n, d)) + 0.5).astype(np.float32)


def augmented(x, **options):
    index = FlatIndex(x, codebooks=1)
    return dba(x, lambda k: index.search(x, k), **options)


def dot(a, b):
    return sum(v * w for v, w in zip(a, b, strict=True))


def nearest(vector, items, k, without=None):
    order = sorted((-dot(vector, item), row) for row, item in enumerate(items) if row != without)
    return [(-s, row) for s, row in order[:k]]


@given(st.integers(1, 12), st.integers(1, 15), st.sampled_from([0, 1, 3]), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_loops(n, k, alpha, seed):
    x = some(n, seed=seed)
    items = x.astype(float).tolist()
    expected = []
    for row, item in enumerate(items):
        total = list(item)
        for s, j in nearest(item, items, k, without=row):
            total = [t + max(s, 0) ** alpha * v for t, v in zip(total, items[j], strict=True)]
        length = math.sqrt(dot(total, total))
        expected.append([v / length for v in total])
    np.testing.assert_allclose(augmented(x, k=k, alpha=alpha), expected, atol=1e-4)


def test_an_item_is_never_its_own_neighbour_even_among_many_duplicates():
    x = np.repeat(some(2), 20, axis=0)
    np.testing.assert_allclose(augmented(x, k=10), x, atol=1e-6)


def test_groups_contract_and_a_large_alpha_changes_least():
    rng = np.random.default_rng(0)
    x = unit(np.repeat(np.eye(4), 15, axis=0) + 0.2 * rng.normal(size=(60, 4))).astype(np.float32)
    spread = [float(((y - np.repeat(np.eye(4), 15, axis=0)) ** 2).sum()) for y in (x, augmented(x))]
    assert spread[1] < 0.3 * spread[0]
    near, far = (np.abs(augmented(x, alpha=alpha) - x).mean() for alpha in (20, 0))
    assert near < far


def test_zeros_few_items_and_none():
    assert augmented(np.zeros((4, 3), np.float32)).tolist() == [[0, 0, 0]] * 4
    assert augmented(np.array([[3.0, 4]])).tolist() == [[np.float32(0.6), np.float32(0.8)]]
    assert augmented(np.zeros((0, 3))).shape == (0, 3)
    half = some(9).astype(np.float16)
    index = FlatIndex(half, codebooks=1)
    np.testing.assert_array_equal(dba(half, lambda k: index.search(half, k)), augmented(half.astype(np.float32)))
    with pytest.raises(InputError, match="row 1"):
        dba(np.array([[1, 1], [np.nan, 1]]), None)


@pytest.mark.parametrize("alpha", [0, 2])
@pytest.mark.parametrize("k", [1, 3, 99])
def test_smoothing_equals_loops(alpha, k):
    views, database = some(12, seed=1).reshape(2, 6, 5), some(8)
    items = database.astype(float).tolist()
    expected = []
    for view in views.reshape(12, 5).astype(float).tolist():
        near = nearest(view, items, k)
        weights = [max(s, 0) ** alpha for s, _ in near]
        expected.append(
            [sum(w * items[j][d] for w, (_, j) in zip(weights, near, strict=True)) / sum(weights) for d in range(5)]
        )
    result = smooth(views, database, k=k, alpha=alpha)
    assert result.shape == (2, 6, 5) and result.dtype == np.float32
    np.testing.assert_allclose(result.reshape(12, 5), expected, atol=1e-5)
    np.testing.assert_allclose(smooth(7 * views, database, k=k, alpha=alpha), result, atol=1e-5)


def test_smoothing_lies_among_the_items_even_where_no_similarity_is_positive():
    database = np.abs(some(9))
    result = smooth(-unit(database.mean(0))[None], database, k=9, alpha=3)
    np.testing.assert_allclose(result[0], database.mean(0), atol=1e-6)
    assert smooth(database[:0], database).shape == (0, 5)


def test_smoothing_by_nothing_or_by_another_width_is_refused():
    with pytest.raises(InputError, match="none"):
        smooth(some(2), some(2)[:0])
    with pytest.raises(InputError, match="5"):
        smooth(some(2, d=4), some(9))
