"""Optimised product quantization: a rotation that loses less than none."""

import numpy as np

from transclipped.retrieval.coding.opq import fit, opq
from transclipped.retrieval.coding.pq import fit as fit_pq
from transclipped.retrieval.coding.pq import pq


def correlated(n, d=12, seed=0):
    """Vectors whose variance sits in the first few numbers."""
    return (np.random.default_rng(seed).normal(size=(n, d)) * np.geomspace(3, 0.05, d)).astype(np.float32)


def test_inner_products_survive_the_rotation_and_the_error_falls():
    x = correlated(1500)
    state = fit(x, bits=24)
    np.testing.assert_allclose(state["rotation"] @ state["rotation"].T, np.eye(12), atol=1e-5)
    rotated, plain = opq(x, state, bits=24), pq(x, fit_pq(x, bits=24), bits=24)
    np.testing.assert_allclose(rotated.embed(x) @ rotated.embed(x).T, x @ x.T, atol=1e-3)
    errors = [((index.decoded() - index.embed(x)) ** 2).sum(1).mean() for index in (rotated, plain)]
    assert errors[0] < 0.7 * errors[1]


def test_a_width_that_the_parts_do_not_divide_is_padded():
    x = correlated(300, 10)
    index = opq(x, fit(x, bits=32), bits=32)
    assert index.decoded().shape == (300, 12)
    np.testing.assert_allclose(index.embed(x) @ index.embed(x).T, x @ x.T, atol=1e-3)


def test_few_vectors_need_no_rotation_and_lose_nothing():
    x = correlated(256)
    state = fit(x, bits=24)
    np.testing.assert_array_equal(state["rotation"], np.eye(12))
    np.testing.assert_allclose(opq(x, state, bits=24).decoded(), x, atol=1e-5)


def test_wide_vectors_keep_the_directions_that_matter():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(300, 20)) @ rng.normal(size=(20, 300))).astype(np.float32)
    index = opq(x, fit(x))
    queries = index.embed(x)
    assert queries.shape == (300, 256)
    np.testing.assert_allclose(queries @ queries.T, x @ x.T, rtol=1e-3, atol=1)
