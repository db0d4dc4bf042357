"""Unit length against loops, at any magnitude."""

import math

import numpy as np
import pytest

from transclipped.retrieval.whitening.l2 import l2


@pytest.mark.parametrize("scale", [1e-37, 1e-20, 1, 1e20, 1e37])
def test_loops(scale):
    x = np.random.default_rng(0).normal(size=(9, 5))
    expected = [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in x.tolist()]
    np.testing.assert_allclose(l2((x * scale).astype(np.float32)), expected, rtol=1e-5)


def test_zeros_stay_and_unit_vectors_do_not_change():
    x = np.array([[0, 0], [0.6, 0.8]], np.float32)
    np.testing.assert_allclose(l2(x), x, rtol=1e-6)
