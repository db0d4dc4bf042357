"""Outliers: typicality against loops, strangers, duplicates, and few images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.analysis.outliers import outliers
from transclipped.errors import InputError


def reference(x, k):
    """Typicality by loops in float64."""
    x = [[float(value) for value in row] for row in x]
    size = [sum(value * value for value in row) ** 0.5 or 1.0 for row in x]
    means = []
    for i, a in enumerate(x):
        far = []
        for j, b in enumerate(x):
            if i != j:
                far.append(1 - sum(p * q for p, q in zip(a, b, strict=True)) / size[i] / size[j])
        near = sorted(far)[:k]
        means.append(sum(near) / len(near))
    ordered, half = sorted(means), len(means) // 2
    middle = ordered[half] if len(means) % 2 else (ordered[half - 1] + ordered[half]) / 2
    return [1 / (1 + mean / middle) for mean in means]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 40))
def test_typicality_is_that_of_loops(seed, n, k):
    x = np.random.default_rng(seed).normal(size=(n, 4)).astype(np.float32)
    result = outliers(x, k=k)
    np.testing.assert_allclose(result.u, reference(x, k), atol=1e-4)
    assert result.neighbours.shape == result.distances.shape == (n, min(k, n - 1))


def test_neighbours_are_the_nearest_others():
    x = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    result = outliers(x, k=3)
    y = x / np.linalg.norm(x, axis=1, keepdims=True)
    cosine = y @ y.T - 9 * np.eye(40)
    np.testing.assert_array_equal(result.neighbours, np.argsort(-cosine, 1)[:, :3])
    np.testing.assert_allclose(result.distances, 1 + np.sort(-cosine, 1)[:, :3], atol=1e-5)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_strangers_are_the_least_typical_even_if_they_are_like_one_another(seed):
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.normal(size=(16, 16)))[0]
    x = np.concatenate([axes[j % 4] + 0.1 * rng.normal(size=16) for j in range(200)]).reshape(-1, 16)
    lone, group = axes[8], axes[9] + 0.1 * rng.normal(size=(4, 16))
    result = outliers(np.r_[x, lone[None], group])
    assert set(result.least(5)) == {200, 201, 202, 203, 204} and result.u[200:].max() < 0.2
    assert not {200, 201, 202, 203, 204} & set(result.most(100)) and result.u[:200].min() > 0.3


def test_order_and_scale_of_images_change_nothing():
    x = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    order = np.random.default_rng(1).permutation(60)
    u = outliers(x).u
    np.testing.assert_allclose(outliers(x[order] * 7).u, u[order], atol=1e-5)
    assert outliers(x).least(3) == np.argsort(u)[:3].tolist() and outliers(x).most(3) == np.argsort(-u)[:3].tolist()
    assert np.median(u) == pytest.approx(0.5, abs=0.01)


def test_duplicates_are_typical_and_equal_images_equally_so():
    rng = np.random.default_rng(0)
    x = np.concatenate([np.repeat(rng.normal(size=(1, 8)), 12, 0), rng.normal(size=(30, 8))])
    result = outliers(x)
    np.testing.assert_array_equal(result.u[:12], 1)
    assert result.most(12) == list(range(12)) and result.u[12:].max() < 1
    mostly = outliers(np.concatenate([np.repeat(rng.normal(size=(1, 8)), 50, 0), rng.normal(size=(5, 8))]))
    np.testing.assert_array_equal(mostly.u, np.r_[np.full(50, 0.5), np.zeros(5)])  # more than half are one image


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_few_or_equal_images_are_neither_typical_nor_untypical(n, value):
    result = outliers(np.full((n, 3), value, np.float16))
    np.testing.assert_array_equal(result.u, np.full(n, 0.5))
    assert result.least(9) == result.most(9) == list(range(n)) and len(result.neighbours) == n


def test_wrong_input_is_refused():
    with pytest.raises(InputError, match="NaN"):
        outliers(np.array([[0.0, np.nan], [1.0, 1.0]]))
    with pytest.raises(InputError, match="k is 0"):
        outliers(np.ones((3, 2)), k=0)
