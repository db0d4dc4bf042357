"""The interval of a mean, against scipy's own."""

import math

import numpy as np
import pytest
from scipy import stats

from transclipped.analysis.student import half_width


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_interval_is_scipys(n):
    values = np.random.default_rng(n).normal(size=n)
    low, high = stats.t.interval(0.95, n - 1, loc=values.mean(), scale=stats.sem(values))
    assert half_width(values.std(ddof=1), n) == pytest.approx((high - low) / 2)


@pytest.mark.parametrize("n", [0, 1])
def test_one_value_has_none(n):
    assert math.isnan(half_width(0.0, n))
