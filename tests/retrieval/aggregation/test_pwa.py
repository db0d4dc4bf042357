"""PWA against loops; how it chooses its channels; what it refuses."""

import statistics

import numpy as np
import pytest

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.errors import InputError
from transclipped.retrieval.aggregation.pwa import fit, pwa


@pytest.mark.parametrize(("a", "b"), [(2, 2), (1, 1), (3, 0.5)])
def test_loops(a, b):
    maps = some()
    state = fit([some(b=9, seed=1)], parts=3)
    expected = []
    for image in clamped(maps):
        values = [[v for row in channel for v in row] for channel in image]  # [c][places]
        vector = []
        for n in state["channels"].tolist():
            norm = sum(v**a for v in values[n]) ** (1 / a) + 1e-5
            weight = [(v / norm) ** (1 / b) for v in values[n]]
            vector += [sum(g * v for g, v in zip(weight, channel, strict=True)) for channel in values]
        expected.append(vector)
    np.testing.assert_allclose(pwa(maps, state, parts=3, a=a, b=b), expected, rtol=1e-4, atol=1e-6)


def test_the_channels_of_greatest_deviation_are_chosen_whatever_the_batches():
    maps = some(b=30, c=9) * np.linspace(1, 2, 9, dtype=np.float32)[:, None, None]
    means = [[statistics.fmean(v for row in channel for v in row) for channel in image] for image in clamped(maps)]
    deviation = [statistics.pstdev(column) for column in zip(*means, strict=True)]
    expected = sorted(range(9), key=lambda c: deviation[c])[-4:]
    for size in (1, 7, 30):
        batches = (maps[start : start + size] for start in range(0, 30, size))
        assert fit(batches, parts=4)["channels"].tolist() == expected


def test_fewer_channels_than_parts_are_all_taken():
    state = fit([some()], parts=25)
    assert sorted(state["channels"]) == list(range(7))
    assert pwa(some(), state).shape == (3, 49)


def test_1280_channels_fit_25_times_but_not_26_times():
    maps = np.ones((1, 1280, 1, 1), np.float32)
    assert pwa(maps, fit([maps])).shape == (1, 32_000)
    with pytest.raises(InputError, match="33,280") as refused:
        fit([maps], parts=26)
    assert refused.value.setting == "parts"


def test_maps_of_another_width_and_no_training_images_are_refused():
    with pytest.raises(InputError, match=r"7 .* 8"):
        pwa(some(c=8), fit([some()]))
    with pytest.raises(InputError, match=r"7 .* 8"):
        fit([some(), some(c=8)])
    for batches in ([], [some()[:0]]):
        with pytest.raises(InputError, match="none"):
            fit(batches)
