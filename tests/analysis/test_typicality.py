"""Typicality: recovers clusters that were planted among noise, and how a cluster weighs features."""

import numpy as np
import pytest
from scipy.stats import beta

from transclipped.analysis import typicality as module
from transclipped.analysis.typicality import squeezed, typicality
from transclipped.errors import InputError

CENTRES = np.array([[0.2, 0.2, 0.7, 0.5, 0.3, 0.8], [0.8, 0.3, 0.2, 0.2, 0.7, 0.5], [0.5, 0.8, 0.8, 0.8, 0.8, 0.2]])


def planted(seed=0, each=80, noise=60):
    rng = np.random.default_rng(seed)
    parts = [rng.beta(40 * centre, 40 * (1 - centre), (each, 6)) for centre in CENTRES]
    of = np.repeat(np.arange(3), each)
    return np.concatenate([*parts, rng.random((noise, 6))]), np.r_[of, np.full(noise, -1)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_three_clusters_among_a_fifth_of_noise_are_recovered(seed):
    x, of = planted(seed)
    result = typicality(x, seed=seed)
    assert result.u.shape == (300, 3) and 0 <= result.u.min() <= result.u.max() <= 1
    middle = result.alpha / (result.alpha + result.beta)
    nearest = np.abs(middle[:, None] - CENTRES).max(2)
    assert sorted(nearest.argmin(1)) == [0, 1, 2] and nearest.min(1).max() < 0.05
    inside = of >= 0
    assert (nearest.argmin(1)[result.cluster] == of)[inside].mean() > 0.95
    assert (result.best[~inside] < 0.3).mean() > 0.95 and np.median(result.best[inside]) > 0.4


def test_distance_and_density_are_those_of_scipy():
    rng = np.random.default_rng(0)
    x, a, b = rng.random((5, 2)).clip(0.01, 0.99), rng.random((3, 2)) * 5 + 1.1, rng.random((3, 2)) * 5 + 1.1
    d, density = module._distances(x, a, b)
    for i in range(5):
        for j in range(3):
            mode = (a[j] - 1) / (a[j] + b[j] - 2)
            expected = beta.logpdf(mode, a[j], b[j]) - beta.logpdf(x[i], a[j], b[j])
            np.testing.assert_allclose(d[i, j], expected, atol=1e-9)
            np.testing.assert_allclose(density[i, j], beta.logpdf(x[i], a[j], b[j]))


def test_newton_steps_come_near_the_most_likely_beta():
    x = np.random.default_rng(0).beta(6, 3, (5000, 1))
    a, b = module._betas(x, np.ones((5000, 1)))
    expected = beta.fit(x[:, 0], floc=0, fscale=1)[:2]
    np.testing.assert_allclose([a[0, 0], b[0, 0]], expected, rtol=1e-3)


def test_a_cluster_weighs_most_the_features_in_which_it_is_narrow():
    rng = np.random.default_rng(0)
    x = np.stack([rng.beta(80, 80, 200), rng.random(200), rng.beta(80, 80, 200)], 1)
    result = typicality(x, clusters=1)
    np.testing.assert_allclose(result.weights.sum(1), 1)
    assert result.weights[0, 1] < result.weights[0, [0, 2]].min()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_few_items_are_judged_by_the_clusters_that_they_can_begin_with(seed):
    x = planted(seed, each=12, noise=0)[0]
    most, expected = typicality(x, clusters=10**6, seed=seed), typicality(x, clusters=18, seed=seed)
    np.testing.assert_array_equal(most.u, expected.u)
    np.testing.assert_array_equal(most.weights, expected.weights)


def test_vectors_become_numbers_between_0_and_1():
    x = np.random.default_rng(0).normal(size=(50, 30)).astype(np.float16)
    numbers = squeezed(x)
    assert numbers.shape == (50, 16) and 0 < numbers.min() < 0.3 and 0.7 < numbers.max() < 1
    np.testing.assert_allclose(np.abs(squeezed(-x.astype(float)) - 0.5), np.abs(numbers - 0.5), atol=1e-5)


@pytest.mark.parametrize("x", [np.zeros((0, 4)), np.ones((1, 4)), np.full((20, 3), 0.5), np.eye(4)])
def test_degenerate_items_are_no_error(x):
    for numbers in (x, squeezed(x)):
        result = typicality(numbers)
        assert len(result.best) == len(x) and np.isfinite(result.u).all() and np.isfinite(result.weights).all()


def test_wrong_input_is_refused():
    for x, options, named in (
        (np.full((3, 2), np.nan), {}, "NaN"),
        (np.full((3, 2), 1.5), {}, "from 0 to 1"),
        (np.ones((3, 2)), {"clusters": 0}, "clusters is 0"),
    ):
        with pytest.raises(InputError, match=named):
            typicality(x, **options)
