"""Rotation, reduction and whitening against a singular value decomposition in float64, by inner products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.retrieval.whitening.whiten import fit_pca, fit_whiten, pca, whiten


def some(n=60, d=7, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * np.linspace(3, 0.3, d) + 2).astype(np.float32)


def expected_gram(x, training, power, dim):
    """Inner products of rows (x − μ) V Λ^(−p/2), from the decomposition of the centred training rows."""
    training, x = training.astype(np.float64), x.astype(np.float64)
    mean = training.mean(0)
    _, singular, axes = np.linalg.svd(training - mean, full_matrices=False)
    variance = singular**2 / len(training)
    z = (x - mean) @ axes[:dim].T / variance[:dim] ** (power / 2)
    return z @ z.T


@given(st.sampled_from([0.0, 0.3, 1.0]), st.integers(1, 7), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_whitening_equals_a_decomposition_in_float64(power, dim, seed):
    x, training = some(9, seed=seed + 1), some(seed=seed)
    z = whiten(x, fit_whiten(training, power=power, dim=dim), power=power, dim=dim)
    expected = expected_gram(x, training, power, dim)
    assert z.shape == (9, dim)
    np.testing.assert_allclose(z @ z.T, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_power_0_only_rotates_and_1_evens_out_all_variances():
    x = some()
    z = whiten(x, fit_whiten(x, power=0.0), power=0.0)
    centred = x - x.mean(0)
    np.testing.assert_allclose(z @ z.T, centred @ centred.T, atol=2e-3)
    z = whiten(x, fit_whiten(x))
    np.testing.assert_allclose(z.T @ z / len(z), np.eye(7), atol=1e-3)


def test_pca_is_whitening_of_power_0_to_some_dimensions_at_most_all():
    x = some()
    for dim in (1, 4, 7, 128):
        z = pca(x, fit_pca(x, dim=dim), dim=dim)
        assert z.shape == (60, min(dim, 7))
        np.testing.assert_allclose(z, whiten(x, fit_whiten(x, power=0.0, dim=dim), dim=dim))
        assert (np.diff(z.var(0)) <= 1e-4).all()


@pytest.mark.parametrize("power", [0.5, 1.0])
def test_directions_that_training_never_saw_give_zero(power):
    """Ten vectors span nine directions around their mean."""
    training = some(10, 30)
    z = whiten(some(5, 30, seed=3), fit_whiten(training, power=power), power=power)
    assert z.shape == (5, 30) and np.abs(z[:, :9]).min() > 0
    assert not z[:, 9:].any()
