"""Average pooling against loops."""

import numpy as np

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.retrieval.aggregation.mean import mean


def test_loops():
    maps = some()
    expected = [[sum(map(sum, channel)) / 20 for channel in image] for image in clamped(maps)]
    np.testing.assert_allclose(mean(maps), expected, rtol=1e-5)


def test_by_hand():
    assert mean(np.array([[[[1, 2], [3, -10]]]])).tolist() == [[1.5]]
