"""Maximum pooling against loops."""

import numpy as np

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.retrieval.aggregation.max import maximum


def test_loops():
    maps = some()
    expected = [[max(map(max, channel)) for channel in image] for image in clamped(maps)]
    np.testing.assert_allclose(maximum(maps), expected, rtol=1e-6)


def test_the_place_does_not_matter():
    maps = np.zeros((20, 1, 4, 5), np.float32)
    maps.reshape(20, 20)[np.arange(20), np.arange(20)] = 2
    assert (maximum(maps) == 2).all()
