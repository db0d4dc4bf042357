"""Smoothing of items and queries against loops."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transclipped as tc
from tests.retrieval.augmentation.test_dba import dot, nearest, some
from transclipped.errors import InputError
from transclipped.retrieval.augmentation.smooth import fit, smooth


@given(st.integers(1, 12), st.integers(1, 15), st.sampled_from([0, 1, 3]), st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_loops(n, k, alpha, seed):
    items, queries = some(n, seed=seed), some(4, seed=seed + 1)
    expected = []
    for query in queries.astype(float).tolist():
        near = nearest(query, items.astype(float).tolist(), k)
        weights = [max(s, 0) ** alpha for s, _ in near]
        weights = weights if any(weights) else [1] * len(near)
        total = [sum(w * float(items[j, at]) for w, (_, j) in zip(weights, near, strict=True)) for at in range(5)]
        expected.append([v / math.sqrt(dot(total, total)) for v in total])
    result = smooth(queries, fit(items, database=items), k=k, alpha=alpha)
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_one_neighbour_replaces_a_query_by_its_nearest_item():
    items = some(9)
    np.testing.assert_allclose(smooth(items, fit(items, database=items), k=1), items, atol=1e-6)


def test_queries_and_items_move_alike_and_the_vectors_count_as_bytes():
    x = some(50, d=8)
    pipeline = tc.Pipeline("l2 | smooth(5, 1) | pq(8)").fit(x)
    item, query = pipeline.fitted.vectors(1, "database")[7], pipeline.fitted.encoded(x[7:8])[0]
    np.testing.assert_allclose(query, item, atol=1e-6)
    assert pipeline.fitted.bytes_per_item == 1 + 8 * 4


def test_saved_pipelines_smooth_alike(tmp_path):
    x = some(50, d=8)
    pipeline = tc.Pipeline("l2 | smooth(5, 1) | float").fit(x)
    pipeline.save(tmp_path / "saved")
    loaded = tc.Pipeline.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.search(x[:3], 5).rows, pipeline.search(x[:3], 5).rows)
    assert loaded.fitted.bytes_per_item == pipeline.fitted.bytes_per_item


def test_an_empty_database_is_refused():
    with pytest.raises(InputError, match="smooth"):
        fit(some(3), database=some(3)[:0])
