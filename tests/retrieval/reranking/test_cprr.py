"""Cartesian products of lists against loops over dictionaries, and how a query joins."""

from collections import defaultdict

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from transclipped.errors import InputError
from transclipped.retrieval.reranking.cprr import cprr, join, of_database, rerank
from transclipped.retrieval.reranking.joining import joined, places


def lists_of(items, length):
    """Exact lists `[n, L]`, each with its own item first."""
    scores = items.astype(float) @ items.T.astype(float)
    np.fill_diagonal(scores, np.inf)
    return np.argsort(-scores, 1, kind="stable")[:, :length]


def sort_by(value, lists):
    """Each list by value[q][i], stable, its own item changed back to the front."""
    result = []
    for q, old in enumerate(lists):
        new = sorted(old, key=lambda i, q=q: -value[q].get(i, 0))
        at = new.index(q)
        new[0], new[at] = new[at], new[0]
        result.append(new)
    return result


def by_loops(lists, k):
    lists = [list(map(int, row)) for row in lists]
    length = len(lists[0])
    value = defaultdict(lambda: defaultdict(float))
    for q, row in enumerate(lists):
        for p, i in enumerate(row):
            value[q][i] += length - p
            value[i][q] += length - p
    lists = sort_by(value, lists)
    for _ in range(2):
        value = defaultdict(lambda: defaultdict(float))
        named = defaultdict(list)
        for row in lists:
            for a, i in enumerate(row[:k]):
                if a:
                    named[i].append((row[0], k - a))
                for b, j in enumerate(row[:k]):
                    value[i][j] += 2 * (k - a) * (k - b)
        for lists_with_i in named.values():
            for i, a in lists_with_i:
                for j, b in lists_with_i:
                    value[i][j] += 2 * a * b
        lists = sort_by(value, lists)
    return lists


@pytest.mark.parametrize(("k", "length"), [(5, 20), (1, 2), (10, 60), (19, 20)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_loops(k, length, seed):
    lists = lists_of(clustered(60, seed=seed)[0], length)
    assert cprr(lists, k=k).tolist() == by_loops(lists, k)


def test_permuted_items_give_permuted_lists():
    lists = lists_of(clustered(60)[0], 20)
    order = np.random.default_rng(1).permutation(60)  # new row i was row order[i]
    inverse = np.argsort(order)
    np.testing.assert_array_equal(order[cprr(inverse[lists[order]], k=6)], cprr(lists, k=6)[order])


def test_lists_get_better():
    rng = np.random.default_rng(0)
    label = np.arange(200) % 8
    x = rng.normal(size=(8, 16))[label] + 1.3 * rng.normal(size=(200, 16))
    lists = lists_of(x / np.linalg.norm(x, axis=1, keepdims=True), 100)
    before, after = ((label[t[:, 1:25]] == label[:, None]).mean() for t in (lists, cprr(lists, k=20)))
    assert after > before + 0.05


BAD = {
    "without its own item": lambda t: t[:, 1:],
    "an item twice": lambda t: np.concatenate([t[:, :5], t[:, 4:5]], 1),
    "rows beyond the end": lambda t: np.where(t == t[0, 3], 60, t),
    "longer than n": lambda t: np.concatenate([t] * 4, 1),
    "not whole numbers": lambda t: t.astype(float),
    "k beyond the list": lambda t: t[:, :6],
    "one list": lambda t: t[0],
    "empty": lambda t: t[:, :0],
}


@pytest.mark.parametrize("case", BAD)
def test_unusable_lists_are_refused(case):
    with pytest.raises(InputError):
        cprr(BAD[case](lists_of(clustered(60)[0], 20)), k=6)


def all_changed(first, back, query, collection):
    """What a query changes if it changes all lists, which hold all items."""
    n = len(first.lists)
    hits = collection.search(query[None], n - 1).rows[0]
    return joined(first.lists, back, hits, places(first, query, hits, collection), np.arange(n))


def test_where_all_lists_change_a_query_is_an_item():
    items, queries = clustered(40, queries=8)
    _, collection = flat(items, queries)
    database = of_database(collection, 6, 40)
    for query in queries:
        lists, _ = join(database, all_changed(database.first, database.back, query, collection), 6)
        expected = cprr(lists_of(np.concatenate([items, query[None]]), 40), k=6)
        np.testing.assert_array_equal(lists[-1], expected[-1])


def pooled(query, items, length, method):
    """Rows in the query's list if it is one of the items."""
    lists = lists_of(np.concatenate([query[None], items]), length)
    return [i - 1 for i in method(lists)[0].tolist() if i]


@pytest.mark.parametrize("k", [5, 20])
@pytest.mark.parametrize(("clusters", "spread"), [(8, 0.5), (15, 0.9)])
def test_joining_agrees_with_pooling_each_query_with_the_database(k, clusters, spread):
    items, queries = clustered(300, queries=50, clusters=clusters, spread=spread)
    hits, collection = flat(items, queries, k=30)
    again = rerank(hits, collection, k=k, depth=80)
    shared = [
        len(set(rows[:10]) & set(pooled(query, items, 80, lambda t: cprr(t, k=k))[:10]))
        for query, rows in zip(queries, again.rows.tolist(), strict=True)
    ]
    assert np.mean(shared) >= 9.7


def test_no_query_sees_another():
    items, queries = clustered(60, queries=8)
    hits, collection = flat(items, queries)
    together = rerank(hits, collection)
    for q in range(8):
        np.testing.assert_array_equal(rerank(*flat(items, queries[q : q + 1])).rows[0], together.rows[q])


def test_hits_beyond_the_depth_keep_their_order():
    items, queries = clustered(60)
    hits, collection = flat(items, queries, k=50)
    again = rerank(hits, collection, k=5, depth=21)
    for before, after in zip(hits.rows.tolist(), again.rows.tolist(), strict=True):
        assert set(after[:20]) == set(before[:20])
        assert after[20:] == before[20:]


def test_permuted_items_give_permuted_hits():
    items, queries = clustered(60)
    order = np.random.default_rng(1).permutation(60)
    before, after = rerank(*flat(items, queries)), rerank(*flat(items[order], queries))
    np.testing.assert_array_equal(order[after.rows], before.rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(rerank(hits, collection), collection.index.n, hits.rows.shape)
