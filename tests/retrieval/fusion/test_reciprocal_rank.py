"""Reciprocal rank fusion against loops."""

from fractions import Fraction

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from transclipped.errors import InputError
from transclipped.retrieval.fusion.reciprocal_rank import rrf


def rankers(n=60, ks=(20, 20, 9)):
    made = [flat(*clustered(n, d=6 + seed, seed=seed), k=k) for seed, k in enumerate(ks)]
    return [hits for hits, _ in made], [collection for _, collection in made]


@pytest.mark.parametrize("constant", [60, 0])
def test_equals_the_sum_in_loops(constant):
    hits, collections = rankers()
    fused = rrf(hits, collections, constant=constant)
    assert_in_order(fused, 60, (5, 20))
    for q in range(5):
        total = {}
        for ranker in hits:
            for rank, row in enumerate(ranker.rows[q].tolist(), start=1):
                total[row] = total.get(row, 0) + Fraction(1, constant + rank)
        expected = sorted(total, key=lambda row: (-total[row], row))[:20]
        assert fused.rows[q].tolist() == expected
        np.testing.assert_allclose(fused.scores[q], [float(total[row]) for row in expected], rtol=1e-6)


def test_the_order_of_rankers_does_not_matter_and_one_alone_keeps_its_order():
    hits, collections = rankers()
    np.testing.assert_array_equal(rrf(hits, collections).rows, rrf(hits[::-1], collections[::-1]).rows)
    np.testing.assert_array_equal(rrf(hits[:1], collections[:1]).rows, hits[0].rows)
    np.testing.assert_array_equal(rrf([hits[0]] * 3, [collections[0]] * 3).rows, hits[0].rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(rrf([hits, hits], [collection] * 2), collection.index.n, hits.rows.shape)


def test_rankers_of_other_data_or_without_numbers_are_refused():
    (a, b, _), (one, two, _) = rankers()
    with pytest.raises(InputError, match="items"):
        rrf([a, b], [one, flat(*clustered(30))[1]])
    with pytest.raises(InputError, match="queries"):
        rrf([a, flat(*clustered(60, queries=2))[0]], [one, two])
    with pytest.raises(InputError, match="one or more"):
        rrf([], [])
    a.scores[0, 0] = np.nan
    with pytest.raises(InputError, match="NaN"):
        rrf([a, b], [one, two])
