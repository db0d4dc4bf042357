"""k-reciprocal re-ranking against the published loops, and how a query joins."""

import math

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, coded, flat
from transclipped.retrieval.reranking.k_reciprocal import encoded, k_reciprocal, pooled
from transclipped.retrieval.reranking.query_expansion import qe


def distances(x):
    """Squared distances `[n, n]` divided by each row's largest."""
    d = [[sum((a - b) ** 2 for a, b in zip(u, v, strict=True)) for v in x.tolist()] for u in x.tolist()]
    return [[value / max(row) for value in row] for row in d]


def nearest(d):
    return [sorted(range(len(row)), key=lambda j, i=i, row=row: (j != i, row[j], j)) for i, row in enumerate(d)]


def neighbourhood(i, order, k1):
    """The expanded k-reciprocal set of i."""

    def mutual(i, k):
        return {j for j in order[i][: k + 1] if i in order[j][: k + 1]}

    first = mutual(i, k1)
    result = set(first)
    for j in first:
        half = mutual(j, round(k1 / 2))
        if 3 * len(half & first) > 2 * len(half):
            result |= half
    return result


def vectors(d, order, k1, k2):
    """V before and after averaging, a dictionary per item."""
    raw = []
    for i in range(len(d)):
        weights = {j: math.exp(-d[i][j]) for j in neighbourhood(i, order, k1)}
        raw.append({j: w / sum(weights.values()) for j, w in weights.items()})
    mean = []
    for i in range(len(d)):
        near = order[i][:k2]
        mean.append({j: sum(raw[o].get(j, 0) for o in near) / len(near) for o in near for j in raw[o]})
    return raw, mean


def jaccard(a, b):
    shared = sum(min(w, b.get(j, 0)) for j, w in a.items())
    return 1 - shared / (2 - shared)


def published(queries, items, k1, k2, weight):
    """Final distances `[Q, n]` of items to queries that are all pooled with them."""
    d = distances(np.concatenate([items, queries]))
    _, mean = vectors(d, nearest(d), k1, k2)
    return [
        [(1 - weight) * jaccard(mean[q], mean[i]) + weight * d[q][i] for i in range(len(items))]
        for q in range(len(items), len(d))
    ]


@pytest.mark.parametrize(("k1", "k2"), [(8, 3), (1, 1), (20, 6), (70, 80)])
def test_the_database_is_encoded_as_in_the_published_loops(k1, k2):
    items, queries = clustered(60)
    _, collection = flat(items, queries)
    raw, mean = vectors(d := distances(items), nearest(d), k1, k2)
    database = encoded(collection, k1, k2)
    for ours, expected in ((database.weights, raw), (database.by_item, mean)):
        dense = np.zeros((60, 60))
        for i, row in enumerate(expected):
            for j, w in row.items():
                dense[i, j] = w
        np.testing.assert_allclose(ours.toarray(), dense, atol=1e-6)


@pytest.mark.parametrize(("k1", "k2", "weight"), [(8, 3, 0.3), (20, 6, 0.3), (1, 1, 0.0)])
def test_the_original_form_equals_the_published_loops(k1, k2, weight):
    items, queries = clustered(60)
    expected = published(queries, items, k1, k2, weight)
    np.testing.assert_allclose(pooled(queries, items, k1=k1, k2=k2, weight=weight), expected, atol=1e-5)


def joined(query, items, k1, k2, weight):
    """Final distances where the query finds the database's V as they are."""
    d = distances(items)
    order = nearest(d)
    raw, mean = vectors(d, order, k1, k2)
    own = [float(((query - x) ** 2).sum()) for x in items.astype(float)]
    near = sorted(range(len(items)), key=lambda j: (own[j], j))

    def reaches(j, k):  # the query is among the first k others of j
        others = sorted(float(((items[j] - x) ** 2).sum()) for i, x in enumerate(items.astype(float)) if i != j)
        return k > 0 and (k > len(others) or own[j] <= others[k - 1])

    first = {j for j in near[:k1] if reaches(j, k1)}
    members = set(first)
    for j in first:
        half = {i for i in order[j][: round(k1 / 2) + 1] if j in order[i][: round(k1 / 2) + 1]}
        also = j in near[: round(k1 / 2)] and reaches(j, round(k1 / 2))
        if 3 * (len(half & first) + also) > 2 * (len(half) + also):
            members |= half
    weights = {j: math.exp(-own[j] / max(own)) for j in members}
    weights = {j: w / (1 + sum(weights.values())) for j, w in weights.items()}
    rows = [weights, *(raw[j] for j in near[: k2 - 1])]
    average = {j: sum(row.get(j, 0) for row in rows) / len(rows) for row in rows for j in row}
    return [(1 - weight) * jaccard(average, mean[i]) + weight * own[i] / max(own) for i in range(len(items))]


@pytest.mark.parametrize(("k1", "k2", "weight"), [(8, 3, 0.3), (20, 6, 0.3), (5, 1, 0.0), (1, 2, 0.5), (4, 2, 0.0)])
def test_a_query_joins_the_frozen_database(k1, k2, weight):
    items, queries = clustered(60, queries=20)
    hits, collection = flat(items, queries)
    again = k_reciprocal(hits, collection, k1=k1, k2=k2, weight=weight)
    for q, query in enumerate(queries):
        final = np.array(joined(query, items, k1, k2, weight))
        np.testing.assert_allclose(1 - again.scores[q], np.sort(final)[:20], atol=1e-5)
        np.testing.assert_allclose(final[again.rows[q]], 1 - again.scores[q], atol=1e-5)


def test_joining_agrees_with_pooling_each_query_with_the_database():
    items, queries = clustered(120, queries=100, clusters=8)
    hits, collection = flat(items, queries)
    again = k_reciprocal(hits, collection, k1=10, k2=4)
    shared = [
        len(set(rows[:10]) & set(np.argsort(published(query[None], items, 10, 4, 0.3)[0], kind="stable")[:10].tolist()))
        for query, rows in zip(queries, again.rows.tolist(), strict=True)
    ]
    assert np.mean(shared) >= 9


def test_no_query_sees_another():
    items, queries = clustered(60, queries=8)
    hits, collection = flat(items, queries)
    together = k_reciprocal(hits, collection)
    for q in range(8):
        alone = k_reciprocal(*flat(items, queries[q : q + 1]))
        np.testing.assert_array_equal(alone.rows[0], together.rows[q])


@pytest.mark.parametrize("length", [None, 1, 3])
def test_the_first_distance_alone_keeps_the_order(length):
    items, queries = clustered(60)
    hits, collection = flat(length * items, queries) if length else coded()
    np.testing.assert_array_equal(k_reciprocal(hits, collection, weight=1.0).rows, hits.rows)


def test_permuted_items_give_permuted_hits():
    items, queries = clustered(60)
    order = np.random.default_rng(1).permutation(60)
    before, after = k_reciprocal(*flat(items, queries)), k_reciprocal(*flat(items[order], queries))
    np.testing.assert_array_equal(order[after.rows], before.rows)


def test_items_of_the_cluster_enter_a_short_list():
    items, queries = clustered(200, clusters=4, spread=0.5)
    short, collection = flat(items, queries, k=15)
    full, _ = flat(items, queries, k=200)
    np.testing.assert_array_equal(k_reciprocal(short, collection).rows, k_reciprocal(full, collection).rows[:, :15])


def test_a_moved_query_is_the_one_that_is_re_ranked():
    items, queries = clustered(60, spread=1.0)
    hits, collection = flat(items, queries)
    moved = qe(hits, collection, k=5)
    direct, other = flat(items, moved.queries)
    np.testing.assert_array_equal(k_reciprocal(moved, collection).rows, k_reciprocal(direct, other).rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(k_reciprocal(hits, collection), collection.index.n, hits.rows.shape)
