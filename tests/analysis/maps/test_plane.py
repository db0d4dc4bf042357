"""PCA and trustworthiness against scikit-learn and loops."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from tests.points import groups
from transclipped.analysis.maps import plane
from transclipped.analysis.maps.store import METRICS
from transclipped.errors import InputError

SMALL = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-5, 5, width=16))


def loop_trustworthiness(x, y, k):
    n = len(x)
    penalty = 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        far = {j: float(((x[i] - x[j]) ** 2).sum()) for j in others}
        near = sorted(others, key=lambda j: float(((y[i] - y[j]) ** 2).sum()))[:k]
        for j in near:
            penalty += max(0, 1 + sum(far[o] < far[j] for o in others) - k)
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


# PCA


@pytest.mark.parametrize("d", [7, 300])
def test_pca_equals_scikit_learns_up_to_sign(rng, d):
    x = rng.normal(size=(60, d)) * np.linspace(3, 0.1, d)
    theirs = PCA(2, svd_solver="full").fit(x)
    result = plane.pca(x)
    np.testing.assert_allclose(np.abs(result.xy), np.abs(theirs.transform(x)), atol=1e-5)
    assert result.settings["variance"] == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-4)


@given(SMALL)
@settings(max_examples=60, deadline=None)
def test_pca_of_anything_is_finite_and_centred(x):
    result = plane.pca(x)
    assert result.xy.shape == (len(x), 2)
    assert np.isfinite(result.xy).all()
    np.testing.assert_allclose(result.xy.mean(0), 0, atol=1e-3)


@pytest.mark.parametrize("d", [3, 300])
def test_pca_without_variance_is_one_point_and_needs_finite_numbers(d, rng):
    assert not plane.pca(np.ones((5, d), np.float32)).xy.any()
    x = groups(rng)
    x[3, 2] = np.nan
    with pytest.raises(InputError, match="finite"):
        plane.pca(x)


# Trustworthiness


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 5, 14])
def test_trustworthiness_equals_scikit_learns(rng, metric, k):
    x, y = groups(rng), rng.normal(size=(90, 2))
    theirs = trustworthiness(x, y, n_neighbors=k, metric=metric)
    assert plane.trustworthiness(x, y, k=k, metric=metric) == pytest.approx(theirs, abs=1e-3)


def test_trustworthiness_equals_a_loop_and_is_approximated_by_samples(rng):
    x, y = groups(rng, n=40), rng.normal(size=(40, 2))
    ours = plane.trustworthiness(x, y, k=6, metric="euclidean")
    assert ours == pytest.approx(loop_trustworthiness(x.astype(float), y, 6), abs=1e-6)
    x, y = groups(rng, n=600), rng.normal(size=(600, 2))
    whole, part = (plane.trustworthiness(x, y, anchors=a) for a in (600, 300))
    assert part == pytest.approx(whole, abs=0.03)


def test_maps_equal_to_the_embedding_have_full_trust(rng):
    x = rng.normal(size=(50, 2)).astype(np.float32)
    assert plane.trustworthiness(x, 3 * x + 1, metric="euclidean") == 1
    x = np.repeat(np.eye(3, dtype=np.float32), 10, 0)
    assert plane.trustworthiness(x, x[:, :2], k=5, metric="euclidean") == 1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_points_have_no_trustworthiness(n):
    assert plane.trustworthiness(np.eye(4, dtype=np.float32)[:n], np.zeros((n, 2))) is None


@given(SMALL.filter(lambda x: len(x) >= 4), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_trustworthiness_is_a_share(x, seed):
    y = np.random.default_rng(seed).normal(size=(len(x), 2))
    for metric in METRICS:
        assert 0 <= plane.trustworthiness(x, y, metric=metric) <= 1


# New images


@given(arrays(np.float64, (6, 2), elements=st.floats(-9, 9)), arrays(np.float64, 6, elements=st.floats(0, 5)))
@settings(deadline=None)
def test_new_images_are_placed_among_their_neighbours(xy, distances):
    position = plane.place_by_neighbours(xy, np.arange(6), distances)
    assert (position >= xy.min(0) - 1e-6).all() and (position <= xy.max(0) + 1e-6).all()


def test_new_images_are_placed_closest_to_their_nearest_neighbour():
    xy = np.array([[0.0, 0], [1, 0]])
    assert plane.place_by_neighbours(xy, np.arange(2), np.array([0.1, 0.9]))[0] < 0.5
    np.testing.assert_allclose(plane.place_by_neighbours(xy, np.arange(2), np.zeros(2)), [0.5, 0])
