"""PCA against scikit-learn, and properties of any projection."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA, TruncatedSVD

from transclipped.retrieval.vectors import unit
from transclipped.retrieval.whitening import pca as module
from transclipped.retrieval.whitening.pca import pca


def some(n=60, f=7, seed=0):
    return np.random.default_rng(seed).normal(size=(n, f)) * np.linspace(3, 0.1, f) + 2


@pytest.mark.parametrize("f", [7, 300])
@pytest.mark.parametrize("whiten", [False, True])
def test_centred_equals_scikit_learns_up_to_sign(f, whiten):
    x = some(f=f)
    theirs = PCA(3, svd_solver="full", whiten=whiten).fit(x)
    ours = pca(x, 3, power=-0.5 if whiten else 0)
    scale = np.sqrt(60 / 59) if whiten else 1  # theirs divides by n − 1
    np.testing.assert_allclose(np.abs(ours(x)), np.abs(theirs.transform(x)) * scale, atol=1e-6)
    assert ours.variance.sum() / ours.total == pytest.approx(theirs.explained_variance_ratio_.sum())


def test_uncentred_equals_scikit_learns_and_keeps_cosines_of_a_flat_cloud():
    x = some()
    theirs = TruncatedSVD(3, algorithm="arpack").fit_transform(x)
    np.testing.assert_allclose(np.abs(pca(x, 3, centre=False)(x)), np.abs(theirs), atol=1e-6)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 30))
    z = unit(pca(unit(x), 5, centre=False)(x))
    np.testing.assert_allclose(z @ z.T, unit(x) @ unit(x).T, atol=1e-9)


@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 6), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_directions_are_orthonormal_their_largest_loading_positive(n, f, k, seed):
    result = pca(np.random.default_rng(seed).normal(size=(n, f)).astype(np.float32), k)
    k = min(k, f)
    np.testing.assert_allclose(result.matrix.T @ result.matrix, np.eye(k), atol=1e-9)
    assert (result.matrix[np.abs(result.matrix).argmax(0), np.arange(k)] > 0).all()
    assert (np.diff(result.variance) <= 1e-9).all() and result.variance.sum() <= result.total + 1e-9


def test_whitened_rows_have_unit_covariance_and_zeros_without_variance():
    x = some() @ np.diag([1, 1, 1, 0, 0, 0, 0])
    z = pca(x, 5, power=-0.5)(x)
    np.testing.assert_allclose(z.T @ z / len(z), np.diag([1, 1, 1, 0, 0]), atol=1e-9)


@pytest.mark.parametrize("f", [3, 300])
def test_without_variance_everything_is_zero(f):
    for power in (0, -0.5):
        assert not pca(np.ones((5, f), np.float32), 2, power=power)(np.ones((5, f))).any()


def test_blocks_change_nothing(monkeypatch):
    x = some(n=50)
    whole = pca(x, 4)
    monkeypatch.setattr(module, "BLOCK", 7)
    np.testing.assert_allclose(pca(x, 4)(x), whole(x), atol=1e-9)


@pytest.mark.parametrize(("shape", "k", "power"), [((5,), 1, 0), ((0, 3), 1, 0), ((5, 3), 0, 0), ((5, 3), 1, 0.5)])
def test_nonsense_is_refused(shape, k, power):
    with pytest.raises(ValueError, match="power <= 0"):
        pca(np.ones(shape), k, power=power)
