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
from transclipped.retrieval.lists import by_place, checked, first_distinct, parts, reaching, start
from transclipped.retrieval.orders import Positions, sampled, sort
from transclipped.retrieval.reranking import cprr as alone
from transclipped.retrieval.reranking.joining import Near, joined, nearest, places
from transclipped.retrieval.stages import Collection, stage


@dataclass(frozen=True)
class Together:
    """The database's fused lists.

    Attributes:
        rankers: rounds of each. positions: in the lists of each, as they came.
        weights: of the last rounds. lists: `[n, L]`, at the end.
    """

    rankers: list[alone.Rounds]
    positions: list[Positions]
    weights: list[alone.Weights]
    lists: np.ndarray


def fused(rankers: Sequence[np.ndarray], *, k: int = 20) -> np.ndarray:
    """Lists `[n, L]` of several rankers, `[n, L]` each, made one. Raises InputError if these do not fit together."""
    rankers = [checked(lists) for lists in rankers]
    if not rankers or len({lists.shape for lists in rankers}) > 1:
        raise InputError(f"fusion needs lists of one shape, got {[[*lists.shape] for lists in rankers]}")
    if not 1 <= k < rankers[0].shape[1]:
        raise InputError(f"k is {k}, but must be from 1 to {rankers[0].shape[1] - 1}, less than the lists' length")
    return united([alone.rounds(lists, k) for lists in rankers], k).lists


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
    weights = []
    for extra in (total, None):
        weights.append(alone.weights_of(lists, k))
        lists = alone.again(lists, weights[-1], extra)
    return Together(rankers, positions, weights, lists)


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
    for q in range(len(first)):
        own = _join(memo[name], [x[q] for x in queries], [r[q] for r in rows], collections, k)
        result[q] = first_distinct(np.concatenate([own[1:], first[q]])[None], length)[0]
    return by_place(result)


def _join(
    database: Together, queries: list[np.ndarray], hits: list[np.ndarray], collections: Sequence[Collection], k: int
) -> np.ndarray:
    """Fused list `[L]` of a query, N for itself at the front, of each ranker's vector `[D]` and hits `[L - 1]`."""
    ends = zip(database.rankers, queries, hits, collections, strict=True)
    place = [places(ranker.first, query, rows, collection) for ranker, query, rows, collection in ends]
    changed = np.unique(np.concatenate([nearest(rows, at, k) for rows, at in zip(hits, place, strict=True)]))
    nears = [
        joined(ranker.first.lists, ranker.back, rows, at, changed)
        for ranker, rows, at in zip(database.rankers, hits, place, strict=True)
    ]
    lists = _union([near.lists for near in nears])
    total = np.zeros(lists.shape)
    for ranker, positions, near, rows, at in zip(database.rankers, database.positions, nears, hits, place, strict=True):
        total += _of_ranker(ranker, positions, near, lists, rows, at, k)
    lists, total = _sorted_union(lists, total)
    lists, total = lists[:, : near.lists.shape[1]], total[:, : near.lists.shape[1]]
    for weights, extra in zip(database.weights, (total, 0.0), strict=True):
        s = alone.together(weights, near.rows, lists, k)
        lists, _ = sort(lists, np.take_along_axis(s, lists, 1) + extra)
    return lists[-1]


def _of_ranker(
    ranker: alone.Rounds,
    positions: Positions,
    near: Near,
    lists: np.ndarray,
    hits: np.ndarray,
    place: np.ndarray,
    k: int,
) -> np.ndarray:
    """What a ranker adds to the values of united lists `[c, m]` that a query changes."""
    n, length = near.rows[-1], near.lists.shape[1]
    _, s = alone.join(ranker, near, k)
    s = [np.take_along_axis(x, lists, 1) for x in s]
    here, there = np.full(n + 1, length), np.full(n + 1, length)
    here[hits], there[hits] = np.arange(1, len(hits) + 1), np.minimum(place, length)
    own = np.broadcast_to(near.rows[:, None], lists.shape)
    items = (own < n) & (lists < n)
    back = np.full(lists.shape, length)  # position of the list's own item in the lists of its entries
    back[items] = positions.of(own[items], lists[items])
    back = np.where(items, back + (back >= there[lists]), np.where(own == n, there[lists], here[own]))
    absent = ~_isin(lists, near.lists)
    return s[-1] + absent * (np.maximum(0, length - back) + sum(s[:-1]))


def _isin(rows: np.ndarray, lists: np.ndarray) -> np.ndarray:
    """Whether rows `[c, m]` occur in the list `[c, L]`."""
    positions = Positions(lists)
    own = np.broadcast_to(np.arange(len(rows))[:, None], rows.shape)
    return positions.of(rows, own) < lists.shape[1]
