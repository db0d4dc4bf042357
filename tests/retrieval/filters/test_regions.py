"""Regions: planted ones come out; the vote and the weights equal loops."""

from collections import Counter

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import some
from transclipped.retrieval.checks import places
from transclipped.retrieval.filters.regions import clusters, labels, majority, regions, weights


def planted():
    """A map `[1, 3, 6, 8]` of three regions: left half, right half, and a strong corner of 3 × 3 places."""
    maps = np.zeros((1, 3, 6, 8), np.float32)
    maps[0, 0, :, :4], maps[0, 1, :, 4:] = 1, 1
    maps[0, :, :3, :3] = np.array([0, 0, 4])[:, None, None]
    return maps + 0.05 * np.random.default_rng(0).random(maps.shape, np.float32)


def test_planted_regions_come_out():
    result = labels(places(planted()), 3)[0]
    expected = np.zeros((6, 8), int)
    expected[:, 4:], expected[:3, :3] = 1, 2
    inner = [(0, 0), (1, 1), (5, 0), (4, 2), (0, 7), (5, 5)]  # a vote rounds the corners of regions
    pairs = {(result[place], expected[place]) for place in inner}
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == 3


def test_clusters_never_get_looser_than_their_starts():
    x = np.maximum(some(4, 6, 5, 5), 0).transpose(0, 2, 3, 1).reshape(4, 25, 6)
    for image, own in zip(x, clusters(x, 4), strict=True):
        means = {k: image[own == k].mean(0) for k in set(own.tolist())}
        for vector, k in zip(image, own, strict=True):
            distance = {j: ((vector - mean) ** 2).sum() for j, mean in means.items()}
            assert distance[k] <= min(distance.values()) * 1.5 + 1e-6
        spread = sum(((vector - means[k]) ** 2).sum() for vector, k in zip(image, own, strict=True))
        assert spread < 0.8 * ((image - image.mean(0)) ** 2).sum()


@pytest.mark.parametrize("shape", [(2, 5, 6), (1, 1, 4), (1, 3, 3)])
def test_the_vote_equals_loops(shape):
    own = np.random.default_rng(0).integers(3, size=shape)
    for image, voted in zip(own, majority(own, 3), strict=True):
        for (y, x), label in np.ndenumerate(voted):
            count = Counter(image[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].ravel().tolist())
            most = sorted(k for k in count if count[k] == max(count.values()))
            assert label == (image[y, x] if image[y, x] in most else most[0])


def test_weights_equal_loops():
    x = np.maximum(some(), 0).transpose(0, 2, 3, 1)
    own = np.random.default_rng(0).integers(4, size=(3, 4, 5))
    for image, region, weight in zip(x.astype(float), own, weights(x, own), strict=True):
        for place in np.ndindex(4, 5):
            inside = [p for p in np.ndindex(4, 5) if region[p] == region[place]]
            response = sum(image[p].sum() for p in inside) / len(inside)
            expected = response / (image.sum() / 20) / (len(inside) / 20) ** 0.5
            assert weight[place] == pytest.approx(expected, rel=1e-4)


def test_one_region_and_constant_maps_change_nothing():
    np.testing.assert_allclose(regions(some(), groups=1), np.maximum(some(), 0), rtol=1e-5)
    np.testing.assert_allclose(regions(np.full((1, 2, 4, 4), 3)), np.full((1, 2, 4, 4), 3), rtol=1e-5)


def test_more_groups_than_places_are_no_trouble():
    assert np.isfinite(regions(some(h=1, w=2), groups=32)).all()
