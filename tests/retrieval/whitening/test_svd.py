"""Truncated decomposition against numpy's."""

import numpy as np
import pytest

from transclipped.retrieval.whitening.svd import fit, svd


@pytest.mark.parametrize("dim", [1, 3, 7, 20])
def test_inner_products_equal_those_of_the_best_approximation(dim):
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(40, 7)) * np.linspace(3, 0.3, 7) + 1).astype(np.float32)
    u, s, _ = np.linalg.svd(x.astype(np.float64), full_matrices=False)
    expected = (u[:, :dim] * s[:dim] ** 2) @ u[:, :dim].T
    z = svd(x, fit(x, dim=dim), dim=dim)
    assert z.shape == (40, min(dim, 7))
    np.testing.assert_allclose(z @ z.T, expected, rtol=1e-3, atol=1e-3)


def test_zero_stays_zero():
    x = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32) + 5
    assert not svd(np.zeros((2, 4)), fit(x)).any()
