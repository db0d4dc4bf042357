"""CroW against loops, and what its two weights do."""

import math

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, sides, some
from transclipped.retrieval.aggregation.crow import crow


def loops(image, a, b):
    h, w = sides(image)
    total = [[sum(channel[y][x] for channel in image) for x in range(w)] for y in range(h)]
    norm = sum(v**a for row in total for v in row) ** (1 / a)
    active = [sum(v != 0 for row in channel for v in row) / (h * w) + 1e-6 for channel in image]
    return [
        math.log(sum(active) / share)
        * sum((total[y][x] / norm) ** (1 / b) * channel[y][x] for y in range(h) for x in range(w))
        for channel, share in zip(image, active, strict=True)
    ]


@pytest.mark.parametrize(("a", "b"), [(2, 2), (1, 1), (0.5, 3), (10, 0.5)])
@pytest.mark.parametrize(("h", "w"), [(4, 5), (1, 1), (3, 3)])
def test_loops(a, b, h, w):
    maps = some(h=h, w=w)
    expected = [loops(image, a, b) for image in clamped(maps)]
    np.testing.assert_allclose(crow(maps, a=a, b=b), expected, rtol=1e-4, atol=1e-6)


def test_a_rare_channel_outweighs_a_common_one_of_the_same_mean():
    maps = np.zeros((1, 2, 3, 3), np.float32)
    maps[0, 0], maps[0, 1, 1, 1] = 1, 9
    common, rare = crow(maps)[0]
    assert rare > 5 * common


def test_the_only_channel_that_responds_everywhere_weighs_nothing():
    assert crow(np.ones((1, 1, 3, 3)))[0, 0] == 0  # ln(ν/ν)
