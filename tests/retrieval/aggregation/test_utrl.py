"""UTRL against loops over places, after the published MATLAB; and how it chooses channels."""

import math
import statistics

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.errors import InputError
from transclipped.retrieval.aggregation.utrl import attentions, fit, resized, utrl
from transclipped.retrieval.checks import places

CHANNELS = np.array([True, False, True, True, False, True, True])


def attention_by_loops(total, centre):
    h, w = len(total), len(total[0])
    sigma = math.ceil((h + w) / 10)
    values = [
        [total[y][x] ** 2 * math.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * sigma**2)) for x in range(w)]
        for y in range(h)
    ]
    norm = math.sqrt(sum(v * v for row in values for v in row))
    return [[math.sqrt(v / norm) if norm else 0 for v in row] for row in values]


def total_by_loops(image):
    h, w = len(image[0]), len(image[0][0])
    return [[sum(c[y][x] for c, on in zip(image, CHANNELS, strict=True) if on) for x in range(w)] for y in range(h)]


def times(image, attention):
    return [[[v * a for v, a in zip(*rows, strict=True)] for rows in zip(c, attention, strict=True)] for c in image]


def attended_by_loops(image, faithful):
    """Both attentions `[h][w]` of an image `[c][h][w]`."""
    total = total_by_loops(image)
    active = [(y, x) for y, row in enumerate(total) for x, v in enumerate(row) if v > 0]
    centre = [sum(place[i] for place in active) // len(active) for i in (0, 1)]
    soft = attention_by_loops(total, centre)
    again = total_by_loops(times(image, soft))
    choose = min if faithful else max
    centre = choose(((y, x) for y, x in active if again[y][x] > 0), key=lambda place: again[place[0]][place[1]])
    return soft, attention_by_loops(again, centre)


@pytest.mark.parametrize("faithful", [False, True])
@pytest.mark.parametrize(("h", "w"), [(4, 4), (6, 6), (5, 8)])
def test_attentions_equal_loops(faithful, h, w):
    maps = some(h=h, w=w)
    soft, hard = attentions(places(maps), CHANNELS, faithful=faithful)
    for image, s, t in zip(clamped(maps), soft, hard, strict=True):
        expected = attended_by_loops(image, faithful)
        np.testing.assert_allclose(s, expected[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(t, expected[1], rtol=1e-4, atol=1e-6)


def vector_by_loops(image):
    """Weighted sums of one scale."""
    soft, hard = attended_by_loops(image, False)
    attended = (np.array(times(image, soft)) + np.array(times(image, hard))).tolist()
    columns = [[max(column) for column in zip(*c, strict=True)] for c in attended]
    t = [sum(c) * sum(v > 0 for v in c) for c in columns]
    return [math.sqrt(max(t) / (own + 1e-5)) * sum(map(sum, c)) for own, c in zip(t, attended, strict=True)]


def test_the_vector_equals_loops():
    maps = some(h=6, w=6)
    scales = [np.maximum(maps, 0)]
    for _ in range(2):
        halved = resized(places(maps), *(-(-side // (2 * len(scales))) for side in (6, 6)))
        scales.append(halved.transpose(0, 3, 1, 2))
    expected = [np.sum([vector_by_loops(scale[i].tolist()) for scale in scales], 0) for i in range(3)]
    expected = np.array(expected) / np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(utrl(maps, {"channels": CHANNELS}), expected, rtol=1e-3, atol=1e-5)


def test_scaling_keeps_constants_and_smooth_maps():
    ramp = np.linspace(1, 2, 64, dtype=np.float32)
    maps = np.stack([np.full((64, 64), 3, np.float32), ramp[:, None] * ramp], 2)[None]
    half = resized(maps, 32, 32)
    np.testing.assert_allclose(half[..., 0], 3, rtol=1e-5)
    means = maps[0].reshape(32, 2, 32, 2, 2).mean((1, 3))
    np.testing.assert_allclose(half[0, 1:-1, 1:-1, 1], means[1:-1, 1:-1, 1], rtol=2e-3)


def test_enlarging_keeps_the_vector_similar():
    maps = some(h=6, w=5)
    plain, large = (utrl(maps, {"channels": CHANNELS}, upsample=up) for up in (False, True))
    assert ((plain * large).sum(1) > 0.85).all() and np.abs(plain - large).max() > 1e-3


@pytest.mark.parametrize("faithful", [False, True])
def test_the_most_varying_channels_are_chosen(faithful):
    maps = some(b=30, c=9) * np.geomspace(1, 50, 9, dtype=np.float32)[:, None, None]
    sums = [[sum(map(sum, channel)) for channel in image] for image in clamped(maps)]
    deviation = [statistics.stdev(column) for column in zip(*sums, strict=True)]
    least = 2 * statistics.median(deviation)
    if faithful:
        least -= statistics.fmean(deviation) / (min(deviation) / 2)
    expected = [d >= least for d in deviation]
    assert 0 < sum(expected) < 9
    for size in (7, 30):
        batches = (maps[start : start + size] for start in range(0, 30, size))
        assert fit(batches, faithful=faithful)["channels"].tolist() == expected


def test_by_default_brightness_does_not_change_the_choice_and_some_channel_is_always_chosen():
    maps = some(b=9)
    for scale in (1e-4, 1e4):
        np.testing.assert_array_equal(fit([maps * np.float32(scale)])["channels"], fit([maps])["channels"])
    for same in (some(b=1), np.ones((5, 7, 4, 4)), np.zeros((5, 7, 4, 4))):
        assert fit([same])["channels"].any()
    alike = some(b=9, c=1).repeat(7, axis=1)  # none reaches twice the median
    assert fit([alike])["channels"].any()


def test_maps_of_another_width_are_refused():
    with pytest.raises(InputError, match=r"7 .* 8"):
        utrl(some(c=8), fit([some()]))
