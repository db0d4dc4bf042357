"""Sums of scores against loops."""

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order
from tests.retrieval.fusion.test_reciprocal_rank import rankers
from transclipped.retrieval.fusion.comb_sum import comb_sum
from transclipped.retrieval.index import Hits


def by_loops(hits, q, scaled):
    total = {}
    for row in {row for ranker in hits for row in ranker.rows[q].tolist()}:
        total[row] = 0.0
        for ranker in hits:
            score = dict(zip(ranker.rows[q].tolist(), ranker.scores[q].tolist(), strict=True))
            low, high = min(score.values()), max(score.values())
            value = score.get(row, low)
            total[row] += (value - low) / (high - low) if scaled else value
    return total


@pytest.mark.parametrize("scaled", [True, False])
def test_equals_the_sum_in_loops(scaled):
    hits, collections = rankers()
    fused = comb_sum(hits, collections, scaled=scaled)
    assert_in_order(fused, 60, (5, 20))
    for q in range(5):
        total = by_loops(hits, q, scaled)
        np.testing.assert_allclose(fused.scores[q], sorted(total.values(), reverse=True)[:20], atol=1e-5)
        np.testing.assert_allclose(fused.scores[q], [total[row] for row in fused.rows[q].tolist()], atol=1e-5)


def test_scaled_sums_ignore_the_units_of_scores():
    hits, collections = rankers()
    other = [Hits((5 * hits[0].scores - 3).astype(np.float32), hits[0].rows), *hits[1:]]
    np.testing.assert_array_equal(comb_sum(other, collections).rows, comb_sum(hits, collections).rows)


def test_one_ranker_keeps_its_order():
    hits, collections = rankers()
    for scaled in (True, False):
        fused = comb_sum(hits[:1], collections[:1], scaled=scaled)
        np.testing.assert_array_equal(fused.rows, hits[0].rows)
    np.testing.assert_allclose(fused.scores, hits[0].scores, atol=1e-6)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(comb_sum([hits, hits], [collection] * 2), collection.index.n, hits.rows.shape)
