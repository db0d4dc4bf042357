"""Fusion by Cartesian products against loops with one table per ranker, and how a query joins."""

from collections import defaultdict

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from tests.retrieval.reranking.test_cprr import BAD, lists_of
from transclipped.errors import InputError
from transclipped.retrieval.fusion.cprr import fuse, fused
from transclipped.retrieval.reranking.cprr import cprr


def sort(table, lists, *, clear):
    """Each list by its row of the table; clearing sets to 0 what was read."""
    result = []
    for q, old in enumerate(lists):
        new = sorted(old, key=lambda i, q=q: -table[q][i])
        for i in old if clear else ():
            table[q][i] = 0.0
        at = new.index(q)
        new[0], new[at] = new[at], new[0]
        result.append(new)
    return result


def add_products(table, lists, k):
    named = defaultdict(list)
    for row in lists:
        for a, i in enumerate(row[:k]):
            named[i].append((row[0], k - a))
            for b, j in enumerate(row[:k]):
                table[i][j] += 2 * (k - a) * (k - b)
    for i, pairs in named.items():
        for x, a in pairs:
            for y, b in pairs:
                if i not in (x, y):
                    table[x][y] += 2 * a * b


def by_loops(rankers, k):
    n, length = rankers[0].shape
    total = defaultdict(lambda: defaultdict(float))
    union = [[] for _ in range(n)]
    for ranker in rankers:
        lists = [list(map(int, row)) for row in ranker]
        table = defaultdict(lambda: defaultdict(float))
        for q, row in enumerate(lists):
            union[q] += [i for i in row if i not in union[q]]
            for p, i in enumerate(row):
                table[q][i] += length - p
                table[i][q] += length - p
        lists = sort(table, lists, clear=True)
        add_products(table, lists, k)
        lists = sort(table, lists, clear=True)
        add_products(table, lists, k)
        for q in range(n):
            for i in list(table[q]):
                total[q][i] += table[q][i]
    lists = [row[:length] for row in sort(total, union, clear=False)]
    add_products(total, lists, k)
    lists = sort(total, lists, clear=True)
    add_products(total, lists, k)
    return sort(total, lists, clear=True)


def lists_by(seeds, n=60, length=20):
    """Lists of rankers that see the same clusters with other noise."""
    base = clustered(n, d=16, spread=0.5)[0]
    noise = [np.random.default_rng(seed).normal(size=base.shape) * 0.15 for seed in seeds]
    return [lists_of(base + x, length) for x in noise]


@pytest.mark.parametrize("seeds", [[1], [1, 2], [1, 2, 3]])
@pytest.mark.parametrize(("k", "length"), [(6, 20), (20, 60), (2, 4)])
def test_equals_the_loops(seeds, k, length):
    rankers = lists_by(seeds, length=length)
    assert fused(rankers, k=k).tolist() == by_loops(rankers, k)


def test_the_order_of_rankers_matters_to_ties_alone():
    rankers = lists_by([1, 2], length=60)
    a, b = fused(rankers, k=8), fused(rankers[::-1], k=8)
    assert (a[:, :8] == b[:, :8]).mean() > 0.95


def test_two_noisy_rankers_are_better_than_one():
    rng = np.random.default_rng(0)
    label = np.arange(200) % 8
    centres = rng.normal(size=(8, 16))[label]
    rankers = [lists_of(centres + 1.5 * rng.normal(size=centres.shape), 100) for _ in range(3)]
    right = [(label[lists[:, 1:25]] == label[:, None]).mean() for lists in [fused(rankers, k=20), *rankers]]
    alone = [(label[cprr(lists, k=20)[:, 1:25]] == label[:, None]).mean() for lists in rankers]
    assert right[0] > max(right[1:]) and right[0] > max(alone)


@pytest.mark.parametrize("case", BAD)
def test_unusable_lists_are_refused(case):
    good = lists_by([1])[0]
    with pytest.raises(InputError):
        fused([good, BAD[case](good)], k=6)


def test_lists_of_other_lengths_or_none_are_refused():
    with pytest.raises(InputError, match="one shape"):
        fused([lists_by([1])[0], lists_by([1], length=10)[0]])
    with pytest.raises(InputError, match="one shape"):
        fused([])


def rankers_of(n=300, queries=60, k=30):
    base, asked = clustered(n, queries=queries, clusters=8, d=16, spread=0.5)
    made = []
    for seed in (1, 2):
        noise = np.random.default_rng(seed).normal(size=(n + queries, 16)).astype(np.float32) * 0.1
        made.append((base + noise[:n], asked + noise[n:]))
    return made, [flat(items, queries, k=k) for items, queries in made]


def test_joining_agrees_with_pooling_each_query_with_the_database():
    made, pairs = rankers_of()
    again = fuse(*zip(*pairs, strict=True), k=20, depth=80)
    shared = []
    for q, rows in enumerate(again.rows.tolist()):
        lists = [lists_of(np.concatenate([queries[q : q + 1], items]), 80) for items, queries in made]
        expected = [i - 1 for i in fused(lists, k=20)[0].tolist() if i][:10]
        shared.append(len(set(rows[:10]) & set(expected)))
    assert np.mean(shared) >= 9.7


def test_no_query_sees_another():
    _, pairs = rankers_of(n=60, queries=4)
    made, _ = rankers_of(n=60, queries=4)
    together = fuse(*zip(*pairs, strict=True), k=8)
    for q in range(4):
        alone = [flat(items, queries[q : q + 1], k=30) for items, queries in made]
        np.testing.assert_array_equal(fuse(*zip(*alone, strict=True), k=8).rows[0], together.rows[q])


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(fuse([hits, hits], [collection] * 2), collection.index.n, hits.rows.shape)
