"""SPoC against loops, and its weights by hand."""

import math

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, sides, some
from transclipped.retrieval.aggregation.spoc import spoc


@pytest.mark.parametrize(("h", "w"), [(4, 5), (6, 6), (1, 1), (1, 9), (7, 2)])
def test_loops(h, w):
    maps = some(h=h, w=w)
    expected = []
    for image in clamped(maps):
        high, wide = sides(image)
        sigma = min(high, wide) / 6
        weight = {
            (y, x): math.exp(-((y - (high - 1) / 2) ** 2 + (x - (wide - 1) / 2) ** 2) / (2 * sigma**2))
            for y in range(high)
            for x in range(wide)
        }
        expected.append([sum(g * channel[y][x] for (y, x), g in weight.items()) for channel in image])
    np.testing.assert_allclose(spoc(maps), expected, rtol=1e-4, atol=1e-7)


def test_the_centre_weighs_one_and_a_corner_of_3_by_3_e_to_the_minus_4():
    maps = np.zeros((2, 1, 3, 3), np.float32)
    maps[0, 0, 1, 1] = maps[1, 0, 0, 2] = 1
    np.testing.assert_allclose(spoc(maps)[:, 0], [1, math.exp(-4)], rtol=1e-6)  # (1 + 1)/(2 · 0.5²)
