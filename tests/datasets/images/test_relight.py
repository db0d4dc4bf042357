"""Other light: against loops over pixels, and what must not change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.datasets.images.relight import relit

NOISE = np.random.default_rng(0).integers(0, 256, (7, 5, 3), np.uint8)


def by_loops(pixels, exposure, warmth):
    """Pixel by pixel through linear light."""
    result = np.zeros_like(pixels)
    for at in np.ndindex(pixels.shape):
        light = (int(pixels[at]) / 255) ** 2.2 * 2.0**exposure * {0: 2.0**warmth, 1: 1.0, 2: 2.0**-warmth}[at[-1]]
        result[at] = round(min(255.0, 255 * light ** (1 / 2.2)))
    return result


@pytest.mark.parametrize(("exposure", "warmth"), [(1, 0), (-2, 0), (0, 1), (0.25, -0.5), (2, 1), (-1.75, -1)])
def test_pixels_are_those_of_loops(exposure, warmth):
    copy = NOISE.copy()
    expected = by_loops(NOISE, exposure, warmth).astype(int)
    assert np.abs(relit(NOISE, exposure=exposure, warmth=warmth) - expected).max() <= 1  # a tie in rounding
    np.testing.assert_array_equal(NOISE, copy)


def test_without_change_all_values_stay():
    values = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    np.testing.assert_array_equal(relit(values), values)


@given(st.floats(-2, 2), st.floats(-1, 1))
def test_green_ignores_warmth_and_order_stays(exposure, warmth):
    values = np.arange(256, dtype=np.uint8)[:, None].repeat(3, 1)
    result = relit(values, exposure=exposure, warmth=warmth)
    assert (np.diff(result.astype(int), axis=0) >= 0).all() and (result[0] == 0).all()
    np.testing.assert_array_equal(result[:, 1], relit(values, exposure=exposure)[:, 1])
    if warmth >= 0:
        assert (result[:, 0] >= result[:, 1]).all() and (result[:, 1] >= result[:, 2]).all()


def test_a_stop_up_and_down_returns_dark_values():
    values = np.arange(180, dtype=np.uint8)[:, None].repeat(3, 1)
    back = relit(relit(values, exposure=1), exposure=-1).astype(int)
    assert np.abs(back - values).max() <= 1


@pytest.mark.parametrize(
    ("pixels", "light"),
    [
        (NOISE.astype(float), {}),
        (NOISE[..., :2], {}),
        (NOISE, {"exposure": 2.1}),
        (NOISE, {"warmth": float("nan")}),
    ],
)
def test_other_arrays_and_lights_are_refused(pixels, light):
    with pytest.raises(ValueError):
        relit(pixels, **light)
