"""Floats are searched exactly."""

import numpy as np

from transclipped.retrieval.coding.floats import floats


def test_scores_are_inner_products_of_the_vectors_themselves():
    x = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)
    index = floats(x)
    np.testing.assert_array_equal(index.decoded(), x)
    np.testing.assert_array_equal(index.embed(x), x)
    hits = index.search(x[:1], 9)
    expected = [sum(float(a) * float(b) for a, b in zip(x[0], row, strict=True)) for row in x]
    np.testing.assert_allclose(hits.scores[0], sorted(expected, reverse=True), rtol=1e-5)
    assert index.bytes_per_item == 20
