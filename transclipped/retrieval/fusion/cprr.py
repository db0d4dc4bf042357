"""Fusion by Cartesian products of ranking references: what several rankers' lists say together.

Each ranker's lists pass the rounds of `reranking.cprr`. The list of an item is then the union of its lists, sorted by
the sum of the rankers' S, and cut to L; two more rounds follow, the first of which adds that sum to its own S. A pair
that a ranker's list lacks keeps what its earlier rounds and the other item's list gave it.

References:
    Valem & Pedronette 2016, "Unsupervised similarity learning through Cartesian product of ranking references for
    image retrieval tasks", SIBGRAPI, doi 10.1109/SIBGRAPI.2016.042.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.fusion.together import together
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import by_place, checked, dots, first_distinct, parts, reaching, start
from transclipped.retrieval.orders import Order, Positions, sampled, sort
from transclipped.retrieval.reranking import cprr as alone
from transclipped.retrieval.stages import Collection, stage


@dataclass(frozen=True)
class Together:
    """The database's fused lists.

    Attributes:
        rankers: rounds of each. first: united lists. total: `[n, L]`, the sum of S of their entries.
        orders, weights: of the last rounds.
    """

    rankers: list[alone.Rounds]
    first: Order
    orders: list[Order]
    weights: list[alone.Weights]


def fused(rankers: Sequence[np.ndarray], *, k: int = 20) -> np.ndarray:
    """Lists `[n, L]` of several rankers, `[n, L]` each, made one. Raises InputError if these do not fit together."""
    rankers = [checked(lists) for lists in rankers]
    if not rankers or len({lists.shape for lists in rankers}) > 1:
        raise InputError(f"fusion needs lists of one shape, got {[[*lists.shape] for lists in rankers]}")
    if not 1 <= k < rankers[0].shape[1]:
        raise InputError(f"k is {k}, but must be from 1 to {rankers[0].shape[1] - 1}, less than the lists' length")
    return united([alone.rounds(lists, k) for lists in rankers], k).orders[-1].lists


def united(rankers: list[alone.Rounds], k: int) -> Together:
    """The rounds on the united lists."""
    n, length = rankers[0].first.lists.shape
    lists, total = np.empty((n, length), np.int64), np.empty((n, length))
    positions = [Positions(ranker.first.lists) for ranker in rankers]
    for part in parts(n, n):
        rows = _union([ranker.first.lists[part] for ranker in rankers])
        values = np.zeros(rows.shape)
        for ranker, position in zip(rankers, positions, strict=True):
            own = np.broadcast_to(np.arange(part.start, part.stop)[:, None], rows.shape)
            back, absent = length - position.of(own, rows), position.of(rows, own) == length
            s = [sampled(weights.together(part), rows) for weights in ranker.weights]
            values += s[-1] + absent * (back + sum(s[:-1]))
        rows, values = _sorted_union(rows, values)
        lists[part], total[part] = rows[:, :length], values[:, :length]
    first = Order(lists, _falling(total))
    orders, weights = [], []
    for extra in (total, None):
        weights.append(alone.weights_of(orders[-1].lists if orders else lists, k))
        orders.append(alone.again(orders[-1].lists if orders else lists, weights[-1], extra))
    return Together(rankers, first, orders, weights)


def _union(lists: list[np.ndarray]) -> np.ndarray:
    """Distinct rows `[p, m]` of lists `[p, L]` in order of appearance; a list that is shorter repeats its first."""
    rows = np.concatenate(lists, 1)
    distinct = first_distinct(rows, rows.shape[1])
    ranked = np.sort(rows, 1)
    count = 1 + (ranked[:, 1:] != ranked[:, :-1]).sum(1)
    distinct = np.where(np.arange(rows.shape[1]) < count[:, None], distinct, distinct[:, :1])
    return distinct[:, : count.max()]


def _sorted_union(rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted by value, what a union repeats last."""
    repeated = rows == rows[:, :1]
    repeated[:, 0] = False
    return sort(rows, np.where(repeated, -np.inf, values))


def _falling(total: np.ndarray) -> np.ndarray:
    values = total.astype(np.float32)
    values[:, 0] = np.inf
    return -np.sort(-values, 1)


@stage(
    "cprr-fusion",
    kind="fusion",
    idea="Two images are alike if they occur together near the front of many lists of several rankers.",
    formula="Σᵣ Sᵣ, then two rounds of S = 2 (WᵀW + W'W'ᵀ)",
    source="doi 10.1109/SIBGRAPI.2016.042",
    bounds={"k": (1, 1000), "depth": (2, 10_000)},
)
def fuse(hits: Sequence[Hits], collections: Sequence[Collection], *, k: int = 20, depth: int = 400) -> Hits:
    """Hits `[Q, K]`, K the longest of the lists, scored by place."""
    length = together(hits, collections)
    queries = [start(*pair) for pair in zip(hits, collections, strict=True)]
    first = first_distinct(np.concatenate([ranker.rows for ranker in hits], 1), length)
    if collections[0].index.n < 3 or not first.size:
        return by_place(first)
    rankers = [alone.of_database(collection, k, depth) for collection in collections]
    k = min(k, rankers[0].first.lists.shape[1] - 1)
    name = ("cprr-fusion", k, depth, *map(id, rankers))
    memo = collections[0].memo
    if name not in memo:
        memo[name] = united(rankers, k)
    width = rankers[0].first.lists.shape[1] - 1
    rows = [reaching(*part, width) for part in zip(hits, queries, collections, strict=True)]
    result = np.empty(first.shape, np.int64)
    for part in parts(len(first), 4 * collections[0].index.n):
        joined = _join(memo[name], [q[part] for q in queries], [r[part] for r in rows], collections, k)
        result[part] = first_distinct(np.concatenate([joined.rows[:, 1:], first[part]], 1), length)
    return by_place(result)


def _join(
    database: Together, queries: list[np.ndarray], rows: list[np.ndarray], collections: Sequence[Collection], k: int
) -> alone.Joined:
    """Queries in the fused lists, of each ranker's vectors `[Q, D]` and rows `[Q, L - 1]`."""
    n, length = database.first.lists.shape
    union = _union([np.concatenate([np.full((len(r), 1), n), r], 1) for r in rows])
    total = np.zeros(union.shape)
    others = np.where(union[:, 1:] == n, union[:, 1:2], union[:, 1:])
    for ranker, query, row, collection in zip(database.rankers, queries, rows, collections, strict=True):
        _, s = alone.join(ranker, alone.first_place(ranker.first, query, row, collection), k)
        back = length - ranker.first.place(others, dots(query, collection.items, others))
        absent = ~_isin(others, row)
        s = [np.take_along_axis(x, others, 1) for x in s]
        total[:, 1:] += s[-1] + absent * (back + sum(s[:-1]))
    total[:, 0] = np.inf
    union, total = _sorted_union(union, total)
    union, total = union[:, :length], total[:, :length]
    back = np.maximum(1, database.first.place(union[:, 1:], total[:, 1:]))
    joined = alone.Joined(union, np.concatenate([np.zeros_like(back[:, :1]), back], 1))
    before = [database.first, *database.orders]
    for i, extra in enumerate((total, None)):
        joined, _ = alone.join_round(joined, database.weights[i], before[i].lists, before[i + 1], k, extra)
    return joined


def _isin(rows: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """Whether rows `[Q, m]` occur in the query's list `[Q, L]`."""
    positions = Positions(lists)
    own = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    return positions.of(rows, own) < lists.shape[1]
