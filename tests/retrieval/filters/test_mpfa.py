"""MPFA: masks and sums against loops."""

import statistics

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.errors import InputError
from transclipped.retrieval.checks import flat_places
from transclipped.retrieval.filters.mpfa import fit, mpfa, prominent


def mask_by_loops(image, mask):
    """Prominent places of nested lists `[c][h][w]`."""
    places = [(y, x) for y in range(len(image[0])) for x in range(len(image[0][0]))]
    result = set()
    if mask in ("max", "both"):
        for channel in image:
            best = max(places, key=lambda place: channel[place[0]][place[1]])  # the first
            if channel[best[0]][best[1]] > 0:
                result.add(best)
    if mask in ("sum", "both"):
        total = {(y, x): sum(channel[y][x] for channel in image) for y, x in places}
        median = statistics.median(total.values())
        result |= {place for place in places if total[place] >= median}
    return result


@pytest.mark.parametrize("mask", ["max", "sum", "both"])
@pytest.mark.parametrize(("h", "w"), [(4, 5), (5, 5), (6, 6)])
def test_masks_and_sums_equal_loops(mask, h, w):
    maps = np.round(some(b=5, c=4, h=h, w=w) * 4) / 4  # many ties, whole sums
    maps[0, 2] = -1
    sums = [0.0] * 4
    for image, own in zip(clamped(maps), prominent(flat_places(maps), mask), strict=True):
        expected = mask_by_loops(image, mask)
        assert set(zip(*map(list, own.reshape(h, w).nonzero()), strict=True)) == expected
        sums = [p + sum(c[y][x] for y, x in expected) for p, c in zip(sums, image, strict=True)]
    np.testing.assert_allclose(fit([maps], mask=mask)["sums"], np.array(sums) / 5, rtol=1e-6)


def test_the_largest_sums_are_kept_in_order_whatever_the_batches():
    levels = np.random.default_rng(0).permutation(9).astype(np.float32) / 8
    maps = some(b=20, c=9) + levels[:, None, None]
    state = fit([maps], keep=0.4)
    assert state["channels"].tolist() == sorted(np.argsort(-state["sums"])[:4])
    shuffled = maps[::-1]
    for size in (1, 7):
        again = fit((shuffled[start : start + size] for start in range(0, 20, size)), keep=0.4)
        np.testing.assert_array_equal(again["channels"], state["channels"])
        np.testing.assert_allclose(again["sums"], state["sums"], rtol=1e-6)
    np.testing.assert_array_equal(mpfa(maps, state), np.maximum(maps, 0)[:, state["channels"]])


def test_keeping_all_channels_changes_nothing_and_one_always_stays():
    np.testing.assert_array_equal(mpfa(some(), fit([some()], keep=1)), np.maximum(some(), 0))
    assert mpfa(some(), fit([some()], keep=0.01)).shape == (3, 1, 4, 5)


def test_maps_of_3_by_3_places_are_refused():
    with pytest.raises(InputError, match="have 9"):
        fit([some(h=3, w=3)])
