"""Directions and neighbours against loops."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.points import groups
from transclipped.analysis.maps.store import METRICS
from transclipped.retrieval.vectors import nearest_others, neighbours, unit


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_rows_have_length_one_and_zeros_stay(dtype):
    x = np.array([[3, 4], [0, 0], [-300, 400]], dtype)  # squares of float16 overflow
    expected = np.array([[0.6, 0.8], [0, 0], [-0.6, 0.8]])
    np.testing.assert_allclose(unit(x), expected, atol=1e-7)
    np.testing.assert_allclose(unit(x.reshape(3, 1, 2)), expected[:, None], atol=1e-7)
    assert unit(x).dtype == np.result_type(dtype, np.float32)


@pytest.mark.parametrize("metric", METRICS)
def test_neighbours_are_exact_and_at_most_all_points(rng, metric):
    x, q = groups(rng), rng.normal(size=(4, 6)).astype(np.float32)
    distances, rows = neighbours(x, q, 5, metric=metric)
    for i in range(4):
        if metric == "cosine":
            all_of = [1 - float(a @ q[i] / np.linalg.norm(a) / np.linalg.norm(q[i])) for a in x]
        else:
            all_of = [float(np.linalg.norm(a - q[i])) for a in x]
        np.testing.assert_allclose(distances[i], np.sort(all_of)[:5], atol=1e-4)
        assert set(rows[i]) == set(np.argsort(all_of)[:5])
    assert neighbours(groups(rng, n=3), groups(rng, n=1), 9)[1].shape == (1, 3)


@pytest.mark.parametrize("metric", METRICS)
@given(st.integers(2, 30), st.integers(1, 3), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_no_point_is_among_its_nearest_others_even_where_many_are_equal(metric, n, different, seed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(different, 4)).astype(np.float32)[rng.integers(different, size=n)]
    k = int(rng.integers(1, n))
    distances, rows = nearest_others(x, k, metric=metric)
    assert rows.shape == distances.shape == (n, k)
    assert not (rows == np.arange(n)[:, None]).any()
    assert all(len(set(line)) == k for line in rows.tolist())
    assert (np.diff(distances, axis=1) >= 0).all()


def test_arrays_of_codes_and_labels_need_neither_faiss_nor_torch():
    modules = ", ".join(f"transclipped.retrieval.{m}" for m in ("coding.product", "relevance", "store", "vectors"))
    code = f"import sys, {modules}; print(sys.modules.keys() & {{'faiss', 'torch'}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
