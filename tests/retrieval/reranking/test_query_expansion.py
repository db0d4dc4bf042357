"""Query expansion against loops, and what it leaves unchanged."""

import math

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, coded, flat
from transclipped.errors import InputError
from transclipped.retrieval.reranking.query_expansion import aqe, qe


def by_loops(queries, items, rows, *, k, alpha, m=1):
    """Moved queries, number by number; items as in the space of queries."""
    moved = []
    for query, hits in zip(queries.tolist(), rows.tolist(), strict=True):
        new = list(query)
        for row in hits[:k]:
            score = sum(a * b for a, b in zip(query, items[row].tolist(), strict=True)) / m
            for d, x in enumerate(items[row].tolist()):
                new[d] += max(0, score) ** alpha * x
        if m > 1:
            size = len(new) // m
            for at in range(0, len(new), size):
                length = math.sqrt(sum(x * x for x in new[at : at + size]))
                new[at : at + size] = [x / length for x in new[at : at + size]]
        moved.append(new)
    return moved


@pytest.mark.parametrize(("k", "alpha"), [(1, 3.0), (10, 3.0), (5, 0.5), (30, 1.0)])
def test_equals_the_sum_in_loops_and_ranks_by_it(k, alpha):
    items, queries = clustered(60)
    hits, collection = flat(items, queries)
    moved = np.array(by_loops(queries, items, hits.rows, k=k, alpha=alpha))
    again = aqe(hits, collection, k=k, alpha=alpha)
    np.testing.assert_allclose(again.queries, moved, atol=1e-5)
    scores = moved @ items.T.astype(float)
    np.testing.assert_allclose(again.scores, -np.sort(-scores, 1)[:, :20], atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(scores, again.rows, 1), again.scores, atol=1e-4)


def test_codes_keep_sub_vectors_of_unit_length():
    hits, collection = coded()
    again = aqe(hits, collection, k=7, alpha=2.0)
    expected = by_loops(collection.queries, collection.items * 4, hits.rows, k=7, alpha=2.0, m=4)
    np.testing.assert_allclose(again.queries, expected, atol=1e-5)


def test_plain_expansion_is_the_case_without_weights():
    items, queries = clustered(60, spread=2.0)  # some of the first hits have negative scores
    hits, collection = flat(items, queries, k=40)
    assert (hits.scores[:, 30] < 0).any()
    plain, weighted = qe(hits, collection, k=30), aqe(hits, collection, k=30, alpha=0.0)
    np.testing.assert_array_equal(plain.rows, weighted.rows)
    np.testing.assert_array_equal(plain.scores, weighted.scores)
    np.testing.assert_allclose(plain.queries, queries + items[hits.rows[:, :30]].sum(1), atol=1e-5)
    assert (qe(hits, collection, k=0).rows == hits.rows).all()


def test_a_second_expansion_starts_from_the_moved_query():
    items, queries = clustered(60)
    hits, collection = flat(items, queries)
    once = qe(hits, collection, k=3)
    twice = qe(once, collection, k=3)
    np.testing.assert_allclose(twice.queries, once.queries + items[once.rows[:, :3]].sum(1), atol=1e-5)


def test_permuted_items_give_permuted_hits():
    items, queries = clustered(60)
    order = np.random.default_rng(1).permutation(60)
    before, after = aqe(*flat(items, queries)), aqe(*flat(items[order], queries))
    np.testing.assert_array_equal(order[after.rows], before.rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(aqe(hits, collection), collection.index.n, hits.rows.shape)


@pytest.mark.parametrize("where", ["queries", "items"])
def test_not_finite_numbers_are_refused(where):
    items, queries = clustered(30)
    hits, _ = flat(items, queries)
    {"queries": queries, "items": items}[where][2, 1] = np.nan
    _, collection = flat(np.nan_to_num(items), np.nan_to_num(queries))
    collection.queries, collection.items = queries, items
    with pytest.raises(InputError, match="NaN"):
        qe(hits, collection)


def test_hits_of_another_collection_are_refused():
    hits, _ = flat(*clustered(60))
    with pytest.raises(InputError, match="beyond"):
        qe(hits, flat(*clustered(10))[1])
    with pytest.raises(InputError, match="queries"):
        qe(hits, flat(*clustered(60, queries=3))[1])
