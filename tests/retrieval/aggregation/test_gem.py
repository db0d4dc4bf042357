"""The generalised mean: loops, and its limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retrieval.aggregation.maps import clamped, some
from transclipped.retrieval.aggregation.gem import gem


@pytest.mark.parametrize("p", [1, 2.5, 3, 7])
def test_loops(p):
    maps = some()
    expected = [
        [(sum(v**p for row in channel for v in row) / 20) ** (1 / p) for channel in image] for image in clamped(maps)
    ]
    np.testing.assert_allclose(gem(maps, p=p), expected, rtol=1e-5)


@given(st.floats(1, 100), st.floats(1, 100), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_it_grows_with_p_from_the_mean_to_the_maximum(p, q, seed):
    maps = np.maximum(some(seed=seed), 0)
    p, q = min(p, q), max(p, q)
    mean, maximum = maps.mean((2, 3)), maps.max((2, 3))
    np.testing.assert_allclose(gem(maps, p=1), mean, rtol=1e-5)
    assert (gem(maps, p=p) <= gem(maps, p=q) * (1 + 1e-5)).all()
    assert (mean * (1 - 1e-5) <= gem(maps, p=p)).all() and (gem(maps, p=q) <= maximum * (1 + 1e-5)).all()
    np.testing.assert_allclose(gem(maps, p=100), maximum, rtol=0.031)  # 20^(1/100) = 1.030


def test_no_power_overflows_or_vanishes():
    for scale in (1e-30, 1e30):
        maps = np.full((1, 2, 3, 3), scale, np.float32)
        np.testing.assert_allclose(gem(maps, p=100), maps[:, :, 0, 0], rtol=1e-5)
