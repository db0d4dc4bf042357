"""The attentions as a filter are those of the pooling."""

import numpy as np

from tests.retrieval.aggregation.maps import some
from transclipped.retrieval.aggregation.utrl import attentions
from transclipped.retrieval.checks import places
from transclipped.retrieval.filters.attention import attention


def test_each_place_is_weighted_by_the_sum_of_both():
    state = {"channels": np.array([True, False, True, True, False, True, True])}
    soft, hard = attentions(places(some()), state["channels"])
    np.testing.assert_allclose(attention(some(), state), np.maximum(some(), 0) * (soft + hard)[:, None], rtol=1e-6)
