"""Rank flow embedding against loops over dictionaries, and how a query joins."""

import math
from collections import defaultdict

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, flat
from tests.retrieval.reranking.test_cprr import BAD, all_changed, lists_of, sort_by
from transclipped.errors import InputError
from transclipped.retrieval.lists import own_lists
from transclipped.retrieval.orders import Order
from transclipped.retrieval.reranking.flow import STEPS, flow, steps
from transclipped.retrieval.reranking.flow_queries import _by_parts, after_each_step, join, rerank


def position(lists, q, i):
    return lists[q].index(i) + 1 if i in lists[q] else len(lists[q]) + 2


def sigma(p, k, a):
    return 1.0 if p == 1 else 1 - 1 / (1 + math.exp(-a * (p - k // 2)))


def edges(lists, k):
    """H, a dictionary per item."""
    e = []
    for row in lists:
        new = defaultdict(float)
        for p, i in enumerate(row[:k], start=1):
            w = 1 - math.log(p) / math.log(k)
            new[i] += w
            for p2, j in enumerate(lists[i][:k], start=1):
                new[j] += w * (1 - math.log(p2) / math.log(k))
        e.append(new)
    return [{i: v * e[i].get(q, 0) for i, v in row.items() if v * e[i].get(q, 0) > 0} for q, row in enumerate(e)]


def product(a, b):
    return sum(a[i] * b[i] for i in sorted(a.keys() & b.keys()))


def estimate(h, k):
    e = [sum(sorted(row.values(), reverse=True)[:k]) for row in h]
    return [x / max(e) for x in e]


def entering(value, lists):
    """Lists with all items that have a value, cut to their length."""
    longer = [row + sorted(i for i in value[q] if i not in row) for q, row in enumerate(lists)]
    return [row[: len(lists[0])] for row in sort_by(value, longer)]


def parts(lists, h, e, k):
    """Items by representative, of parts of two or more, from the best pairs."""
    pairs = [(product(h[q], h[i]) * (e[q] * e[i]), q, i) for q, row in enumerate(lists) for i in row[:k] if i != q]
    member = {q: q for q in range(len(lists))}
    for number, (_, q, i) in enumerate(sorted(pairs, reverse=True)):
        if number >= len(pairs) * sum(e) / len(e) / 2:
            break
        old, new = member[i], member[q]
        member = {o: new if r == old else r for o, r in member.items()}
    groups = defaultdict(list)
    for o, r in member.items():
        groups[r].append(o)
    return {r: group for r, group in sorted(groups.items()) if len(group) > 1}


def by_loops(lists, k, rounds, a):
    """Lists after each step, embedding and parts."""
    lists = [list(map(int, row)) for row in lists]
    n, result = len(lists), []
    value = [
        {i: sigma(p, k, a) ** 2 * sigma(position(lists, i, q), k, a) for p, i in enumerate(row, start=1)}
        for q, row in enumerate(lists)
    ]
    result.append(lists := sort_by(value, lists))
    for _ in range(rounds):
        h = edges(lists, k)
        value = [{i: product(h[q], h[i]) / p for p, i in enumerate(row, start=1)} for q, row in enumerate(lists)]
        lists = sort_by(value, lists)
    result.append(lists)
    h = edges(lists, k)
    e = estimate(h, k)
    value = [defaultdict(float) for _ in range(n)]
    for o in range(n):
        for i, x in h[o].items():
            for j, y in h[o].items():
                value[i][j] += e[o] * x * y
    for q in range(n):
        value[q][q] = math.inf
    result.append(lists := entering(value, lists))
    h = edges(lists, k)
    groups = parts(lists, h, estimate(h, k), k)
    sums = []
    for group in groups.values():
        total = defaultdict(float)
        for o in group:
            for i, x in h[o].items():
                total[i] += x
        sums.append(total)
    v = [[product(row, total) for total in sums] for row in h]
    value = [{} for _ in range(n)]
    for total in sums:
        members = sorted(total, key=lambda i, total=total: (-total[i], i))[:k]
        for i, x in enumerate(members, start=1):
            for j, y in enumerate(members, start=1):
                inner = sum(s * t for s, t in zip(v[x], v[y], strict=True))
                value[x][y] = (1 + math.sqrt(i * j) * inner) / position(lists, x, y)
    result.append(entering(value, lists))
    return result, v, groups


@pytest.mark.parametrize(("k", "length", "rounds"), [(8, 20, 2), (5, 60, 1), (2, 3, 0), (19, 20, 3)])
@pytest.mark.parametrize("seed", [0, 1])
def test_equals_the_loops_step_by_step(k, length, rounds, seed):
    lists = lists_of(clustered(60, seed=seed)[0], length)
    result = flow(lists, k=k, rounds=rounds)
    expected, v, groups = by_loops(lists, k, rounds, 0.1)
    assert list(result.steps) == list(STEPS)
    for step, rows in zip(STEPS, expected, strict=True):
        assert result.steps[step].tolist() == rows, step
    assert result.lists.tolist() == expected[-1]
    np.testing.assert_allclose(result.embedding.toarray(), np.array(v).reshape(60, -1), rtol=1e-9)
    part = np.full(60, -1)
    for column, group in enumerate(groups.values()):
        part[group] = column
    np.testing.assert_array_equal(result.part, part)


def test_items_enter_lists_and_parts_are_clusters():
    rng = np.random.default_rng(0)
    label = np.arange(200) % 8
    x = rng.normal(size=(8, 16))[label] + 0.6 * rng.normal(size=(200, 16))
    lists = lists_of(x / np.linalg.norm(x, axis=1, keepdims=True), 30)
    result = flow(lists, k=15)
    before, after = ((label[t[:, 1:25]] == label[:, None]).mean() for t in (lists, result.lists))
    assert after > before
    assert any(set(new) - set(old) for old, new in zip(lists.tolist(), result.steps["product"].tolist(), strict=True))
    for column in range(result.embedding.shape[1]):
        assert len(set(label[result.part == column])) == 1


def test_without_components_the_product_is_the_last_step():
    lists = lists_of(clustered(60)[0], 20)
    result, full = flow(lists, k=8, components=False), flow(lists, k=8)
    np.testing.assert_array_equal(result.lists, full.steps["product"])
    assert list(result.steps) == list(STEPS[:3])
    assert result.embedding.shape == (60, 0) and (result.part == -1).all()


def test_permuted_items_give_permuted_lists():
    lists = lists_of(clustered(60)[0], 20)
    order = np.random.default_rng(1).permutation(60)
    inverse = np.argsort(order)
    a, b = flow(inverse[lists[order]], k=8, components=False), flow(lists, k=8, components=False)
    np.testing.assert_array_equal(order[a.lists], b.lists[order])


@pytest.mark.parametrize("case", BAD)
def test_unusable_lists_are_refused(case):
    with pytest.raises(InputError):
        flow(BAD[case](lists_of(clustered(60)[0], 20)), k=6)
    with pytest.raises(InputError, match="k is 1"):
        flow(lists_of(clustered(60)[0], 20), k=1)


def test_where_all_lists_change_a_query_is_an_item():
    items, queries = clustered(40, queries=8)
    _, collection = flat(items, queries)
    own, k = own_lists(collection, 40), 6
    first, database = Order(own.rows, own.scores), steps(own.rows, k=k, rounds=2, sharpness=0.1, components=False)
    for query in queries:
        near = all_changed(first, database.back, query, collection)
        ours = join(database, near, k, 2, 0.1)
        full = flow(lists_of(np.concatenate([items, query[None]]), 40), k=k, components=False).steps
        assert {step: order.tolist() for step, order in ours.items()} == {s: x[-1].tolist() for s, x in full.items()}


@pytest.mark.parametrize("connects", [True, False])
def test_a_query_counts_in_parts_that_it_is_among_the_strongest_of(connects):
    items, queries = clustered(60, queries=20)
    n, k, rng = 60, 6, np.random.default_rng(0)
    hits = flat(items, queries, k=29)[0]
    database = steps(lists_of(items, 30), k=k, rounds=2, sharpness=0.1, components=True)
    found, old_h, changed = database.parts, database.edges[-1].h.toarray(), 0
    members = [np.flatnonzero(row).tolist() for row in found.members.toarray()]
    for q in range(20):
        order = [n, *hits.rows[q].tolist()]
        h = [*(old_h[order[1]] * rng.uniform(0.8, 1.2)).tolist(), rng.uniform(1, 4)]
        own = int(found.part[order[1]]) if connects else -1
        rows = [[*row.tolist(), h[i]] for i, row in enumerate(old_h)] + [h]
        similarity = [sum(a * b for a, b in zip(h, row, strict=True)) for row in rows]
        inside = [m + [n] * (r == own) for r, m in enumerate(members)]
        sums = [[sum(rows[o][i] for o in m) for i in range(n + 1)] for m in inside]
        v = [[sum(a * b for a, b in zip(row, c, strict=True)) for c in sums] for row in rows]
        v = [[*x.tolist()] for x in found.embedding.toarray()] + [v[n]]  # items' own stay, but for the part that grows
        if own >= 0:
            for i in range(n):
                v[i][own] += similarity[i]
        value = {}
        for row in sums:
            best = sorted((i for i in range(n + 1) if row[i] > 0), key=lambda i, row=row: (-row[i], i))[:k]
            if n in best:
                for j, b in enumerate(best, start=1):
                    inner = sum(x * y for x, y in zip(v[n], v[b], strict=True))
                    value[b] = (1 + math.sqrt((best.index(n) + 1) * j) * inner) / position({0: order}, 0, b)
        longer = order + sorted(i for i in value if i not in order)
        new = sorted(longer, key=lambda i, value=value: -value.get(i, 0))
        at = new.index(n)
        new[0], new[at] = new[at], new[0]
        ours = _by_parts(np.array(order), np.array(h), np.array(similarity), own, found, k)
        assert ours.tolist() == new[:30]
        changed += new[:30] != order
    assert changed > 3


def test_joining_agrees_with_pooling_each_query_with_the_database():
    items, queries = clustered(300, queries=100, clusters=12, d=16, spread=0.7)
    hits, collection = flat(items, queries, k=30)
    options = {"k": 15, "rounds": 2, "sharpness": 0.1, "components": True}
    again = after_each_step(hits, collection, **options)
    shared = defaultdict(list)
    for q, query in enumerate(queries):
        full = flow(lists_of(np.concatenate([query[None], items]), 200), k=15).steps
        for step in STEPS:
            expected = [i - 1 for i in full[step][0].tolist() if i][:10]
            shared[step].append(len(set(again[step].rows[q, :10].tolist()) & set(expected)))
    assert {step: np.mean(counts) >= 9 for step, counts in shared.items()} == dict.fromkeys(STEPS, True), shared
    np.testing.assert_array_equal(again["before"].rows, hits.rows)


def test_no_query_sees_another():
    items, queries = clustered(60, queries=8)
    hits, collection = flat(items, queries)
    together = rerank(hits, collection, k=8)
    for q in range(8):
        np.testing.assert_array_equal(rerank(*flat(items, queries[q : q + 1]), k=8).rows[0], together.rows[q])


def test_permuted_items_give_permuted_hits():
    items, queries = clustered(60)
    order = np.random.default_rng(1).permutation(60)
    options = {"k": 8, "components": False}
    before, after = rerank(*flat(items, queries), **options), rerank(*flat(items[order], queries), **options)
    np.testing.assert_array_equal(order[after.rows], before.rows)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    assert_in_order(rerank(hits, collection), collection.index.n, hits.rows.shape)
