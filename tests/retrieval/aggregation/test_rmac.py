"""R-MAC: its regions by hand and by their properties, its sums against loops."""

import math

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, sides, some
from transclipped.retrieval.aggregation.rmac import regions, rmac


def test_regions_of_a_square_map_by_hand():
    assert regions(3, 3, 3) == [
        (0, 0, 3),
        *[(y, x, 2) for y in (0, 1) for x in (0, 1)],
        *[(y, x, 1) for y in (0, 1, 2) for x in (0, 1, 2)],
    ]
    assert regions(1, 1, 3) == [(0, 0, 1)]
    assert regions(6, 6, 3)[5:] == [(y, x, 3) for y in (0, 1, 3) for x in (0, 1, 3)]


def test_regions_of_a_long_map_by_hand():
    """6 × 9: two squares of 6 would overlap by 1/2, three by 3/4, so there is one more than on the short side."""
    assert regions(6, 9, 2) == [(0, 0, 6), (0, 3, 6), *[(y, x, 4) for y in (0, 2) for x in (0, 2, 5)]]
    assert regions(9, 6, 1) == [(0, 0, 6), (3, 0, 6)]


@pytest.mark.parametrize("h", range(1, 13))
@pytest.mark.parametrize("w", range(1, 13))
def test_each_level_reaches_all_borders(h, w):
    for level in range(1, 5):
        squares = regions(h, w, level)[len(regions(h, w, level - 1)) :]
        side = 2 * min(h, w) // (level + 1)
        assert bool(squares) == bool(side)
        for top, left, s in squares:
            assert s == side and 0 <= top <= h - side and 0 <= left <= w - side
        if squares and level > 1:
            assert {0, h - side} <= {top for top, _, _ in squares}
            assert {0, w - side} <= {left for _, left, _ in squares}


@pytest.mark.parametrize("sides", [(6, 6), (7, 7), (3, 3), (5, 4), (14, 14)])
def test_every_place_counts(sides):
    """A place that alone is bright is in the whole map and in at least one square of every level."""
    h, w = sides
    seen = np.zeros((3, h, w), int)
    for level in (1, 2, 3):
        for top, left, side in regions(h, w, level)[len(regions(h, w, level - 1)) :]:
            seen[level - 1, top : top + side, left : left + side] += 1
    assert (seen > 0).all()


@pytest.mark.parametrize(("h", "w"), [(4, 5), (6, 6), (3, 3), (1, 1), (2, 9), (9, 6)])
@pytest.mark.parametrize("levels", [1, 3])
def test_loops(h, w, levels):
    maps = some(h=h, w=w)
    expected = []
    for image in clamped(maps):
        high, wide = sides(image)
        vector = [0.0] * len(image)
        boxes = [(range(high), range(wide))]
        boxes += [(range(t, t + s), range(left, left + s)) for t, left, s in regions(high, wide, levels)]
        for ys, xs in boxes:
            strongest = [max(channel[y][x] for y in ys for x in xs) for channel in image]
            length = math.sqrt(sum(v * v for v in strongest)) or 1
            vector = [total + v / length for total, v in zip(vector, strongest, strict=True)]
        expected.append(vector)
    np.testing.assert_allclose(rmac(maps, levels=levels), expected, rtol=1e-5)
