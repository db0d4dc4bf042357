"""Random hyperplanes: bits agree as often as the angle says."""

import math

import numpy as np
import pytest

from transclipped.retrieval.coding.lsh import lsh


@pytest.mark.parametrize("degrees", [0, 30, 60, 90, 150, 180])
def test_the_share_of_equal_bits_estimates_the_angle(degrees):
    a = np.zeros((1, 64), np.float32)
    b = a.copy()
    a[0, 0] = 1
    b[0, :2] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    index = lsh(b, bits=1024)
    score = index.search(index.embed(a), 1).scores[0, 0]
    assert score == pytest.approx(1 - 2 * degrees / 180, abs=0.08)  # five standard errors of 1024 bits at 90°


def test_length_does_not_matter_and_the_opposite_has_the_opposite_bits():
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    index = lsh(x, bits=64)
    np.testing.assert_array_equal(index.embed(7 * x), index.embed(x))
    np.testing.assert_array_equal(index.embed(-x), -index.embed(x))
    np.testing.assert_array_equal(index.decoded() * 64, index.embed(x))
