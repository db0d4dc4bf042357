"""Flatness against loops, at its two ends."""

import math

import numpy as np

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.retrieval.filters.flatness import flatness


def test_loops():
    maps = some()
    maps[1, 2] = -1
    expected = []
    for image in clamped(maps):
        channels = []
        for channel in image:
            values = [v for row in channel for v in row]
            mean = sum(values) / len(values)
            flat = math.exp(sum(math.log(v / mean + 1e-6) for v in values) / len(values)) if mean else 1
            channels.append([[v * (1 - min(1, flat)) for v in row] for row in channel])
        expected.append(channels)
    np.testing.assert_allclose(flatness(maps), expected, rtol=1e-4, atol=1e-6)


def test_a_constant_channel_vanishes_and_a_single_peak_stays():
    maps = np.zeros((1, 3, 4, 4), np.float32)
    maps[0, 0], maps[0, 1, 2, 2] = 7, 7
    constant, peak, zero = flatness(maps)[0]
    assert constant.max() < 1e-4 and abs(peak[2, 2] - 7) < 1e-3 and not zero.any()


def test_channels_keep_their_places():
    order = np.random.default_rng(1).permutation(7)
    np.testing.assert_allclose(flatness(some()[:, order]), flatness(some())[:, order], rtol=1e-6)
