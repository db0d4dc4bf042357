"""Standardisation: each number by its own mean and deviation."""

import numpy as np

from transclipped.retrieval.whitening.standardise import fit, standardise


def test_each_number_has_mean_0_and_deviation_1_and_a_constant_one_is_0():
    x = np.random.default_rng(0).normal(size=(40, 4)) * [1e-3, 1, 50, 0] + [5, 0, -3, 0.1]
    result = standardise(x, fit(x))
    for column in range(3):
        values = [float(v) for v in x[:, column].astype(np.float32)]
        mean = sum(values) / 40
        deviation = (sum((v - mean) ** 2 for v in values) / 40) ** 0.5
        np.testing.assert_allclose(result[:, column], [(v - mean) / deviation for v in values], atol=2e-3)
    assert not result[:, 3].any()


def test_new_vectors_are_measured_by_the_training_ones():
    state = fit(np.array([[0.0, 10.0], [2.0, 30.0]]))
    np.testing.assert_allclose(standardise(np.array([[5.0, 0.0]]), state), [[4.0, -2.0]])
