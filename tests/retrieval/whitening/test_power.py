"""Signed powers against loops."""

import math

import numpy as np
import pytest

from transclipped.retrieval.whitening.power import power


@pytest.mark.parametrize("a", [0.05, 0.5, 1])
def test_loops(a):
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    expected = [[math.copysign(abs(v) ** a, v) for v in row] for row in x.tolist()]
    np.testing.assert_allclose(power(x, a=a), expected, rtol=1e-5)
    np.testing.assert_array_equal(power(-x, a=a), -power(x, a=a))


def test_zero_stays_and_one_changes_nothing():
    x = np.array([[0, -4, 9]], np.float32)
    assert power(x).tolist() == [[0, -2, 3]] and power(x, a=1).tolist() == x.tolist()
