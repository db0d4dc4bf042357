"""Cartesian product of ranking references: two items are alike if they occur together near the front of many lists.

Lists `[n, L]` are first sorted by (L − pos_q(i)) + (L − pos_i(q)). With W[q, τ_q[j]] = k − j for the first k entries,
and W' without its diagonal, a round sorts each list by

    S = 2 (WᵀW + W'W'ᵀ),

where nothing new enters a list. Two rounds.

A query that is no item joins at the end: it finds the order of the database's lists after each step as they are, and
stands in each where its own value places it.

References:
    Valem & Pedronette 2016, "Unsupervised similarity learning through Cartesian product of ranking references for
    image retrieval tasks", SIBGRAPI, doi 10.1109/SIBGRAPI.2016.042.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import (
    by_place,
    checked,
    dots,
    first_distinct,
    matrix,
    own_lists,
    parts,
    reaching,
    start,
)
from transclipped.retrieval.orders import Order, back_positions, ordered_by, sampled, sort
from transclipped.retrieval.stages import Collection, stage

ROUNDS = 2


@dataclass(frozen=True)
class Weights:
    """W `[n, n]` of lists, and what a product needs of it."""

    w: sp.csr_array
    transposed: sp.csr_array
    others: sp.csr_array
    others_transposed: sp.csr_array

    def together(self, part: slice) -> sp.csr_array:
        """Rows of S, `[p, n]`."""
        return 2 * (self.transposed[part] @ self.w + self.others[part] @ self.others_transposed)


@dataclass(frozen=True)
class Rounds:
    """The database's lists after each step.

    Attributes:
        first: `[n, L]`, as they came. scores: descending scores of these.
        orders: after the first sorting and after each round. weights: of each round.
    """

    first: Order
    orders: list[Order]
    weights: list[Weights]


def cprr(lists: np.ndarray, *, k: int = 20) -> np.ndarray:
    """Lists `[n, L]` int64 in their new order; `k` < L. Raises InputError if a list lacks its own item at the front."""
    lists = checked(lists)
    if not 1 <= k < lists.shape[1]:
        raise InputError(f"k is {k}, but must be from 1 to {lists.shape[1] - 1}, less than the lists' length")
    return rounds(lists, k).orders[-1].lists


def rounds(lists: np.ndarray, k: int, scores: np.ndarray | None = None) -> Rounds:
    """All steps on the lists `[n, L]` of a database."""
    orders, weights = [mutual(lists)], []
    for _ in range(ROUNDS):
        weights.append(weights_of(orders[-1].lists, k))
        orders.append(again(orders[-1].lists, weights[-1]))
    return Rounds(Order(lists, lists if scores is None else scores), orders, weights)


def mutual(lists: np.ndarray) -> Order:
    """Lists sorted by the sum of both positions."""
    length, back = lists.shape[1], back_positions(lists)
    return ordered_by(lists, lambda part: 2.0 * length - np.arange(length) - back[part])


def weights_of(lists: np.ndarray, k: int) -> Weights:
    w, others = (matrix(lists[:, at:k], k - np.arange(at, k), len(lists)) for at in (0, 1))
    return Weights(w, w.T.tocsr(), others, others.T.tocsr())


def again(lists: np.ndarray, weights: Weights, total: np.ndarray | None = None) -> Order:
    """Lists sorted by S, or by S + total `[n, L]`."""

    def values(part: slice) -> np.ndarray:
        s = sampled(weights.together(part), lists[part])
        return s if total is None else s + total[part]

    return ordered_by(lists, values, width=len(lists))


@dataclass(frozen=True)
class Joined:
    """Lists of queries that are no items.

    Attributes:
        rows: `[Q, L]`, N for the query itself at the front.
        back: `[Q, L]`, position of the query in the list of each entry, from 0.
    """

    rows: np.ndarray
    back: np.ndarray


class Change:
    """How weights in items' lists change where a query enters: what stands behind it falls by one place.

    Args:
        lists: `[n, L]` that the queries join.
        weight: `[k + 1]` of positions, 0 at the end.
    """

    def __init__(self, joined: Joined, lists: np.ndarray, weight: np.ndarray) -> None:
        k = len(weight) - 1
        self.query, at = np.nonzero(joined.back < k)
        inside = at > 0
        self.query, at = self.query[inside], at[inside]
        self.item = joined.rows[self.query, at]  # in whose list the query stands
        behind = np.arange(k) >= joined.back[self.query, at, None]
        self.column, self.change = lists[self.item, :k], np.where(behind, np.diff(weight), 0)
        self.shape = (len(joined.rows), len(lists))

    def left(self, a: sp.csr_array) -> sp.csr_array:
        """What aW, `[Q, n]`, changes by."""
        data = a.toarray()[self.query, self.item, None] * self.change
        row = np.broadcast_to(self.query[:, None], data.shape)
        return sp.csr_array((data.ravel(), (row.ravel(), self.column.ravel())), self.shape)

    def right(self, a: sp.csr_array) -> sp.csr_array:
        """What aWᵀ, `[Q, n]`, changes by."""
        data = (a.toarray()[self.query[:, None], self.column] * self.change).sum(1)
        return sp.csr_array((data, (self.query, self.item)), self.shape)


@stage(
    "cprr",
    kind="reranking",
    idea="Two images are alike if they occur together near the front of many lists.",
    formula="S = 2 (WᵀW + W'W'ᵀ), W[q, τ_q[j]] = k − j",
    source="doi 10.1109/SIBGRAPI.2016.042",
    bounds={"k": (1, 1000), "depth": (2, 10_000)},
)
def rerank(hits: Hits, collection: Collection, *, k: int = 20, depth: int = 400) -> Hits:
    """Hits `[Q, K]` scored by place: the first `depth` − 1 in their new order, then the others in their first one."""
    queries = start(hits, collection)
    if collection.index.n < 3 or not hits.rows.size:
        return hits
    database = of_database(collection, k, depth)
    k, result = min(k, database.first.lists.shape[1] - 1), np.empty(hits.rows.shape, np.int64)
    rows = reaching(hits, queries, collection, database.first.lists.shape[1] - 1)
    for part in parts(len(rows), 4 * collection.index.n):
        joined, _ = join(database, first_place(database.first, queries[part], rows[part], collection), k)
        result[part] = first_distinct(np.concatenate([joined.rows[:, 1:], hits.rows[part]], 1), hits.rows.shape[1])
    return by_place(result)


def of_database(collection: Collection, k: int, depth: int) -> Rounds:
    """The steps on the database's own lists, computed once."""
    name = ("cprr", k, depth)
    if name not in collection.memo:
        lists = own_lists(collection, depth)
        collection.memo[name] = rounds(lists.rows, min(k, lists.rows.shape[1] - 1), lists.scores)
    return collection.memo[name]


def first_place(first: Order, queries: np.ndarray, rows: np.ndarray, collection: Collection) -> Joined:
    """Queries `[Q, D]` with their hits `[Q, L - 1]`: each stands in an item's list where its score places it."""
    back = first.place(rows, dots(queries, collection.items, rows))
    own = np.full((len(rows), 1), collection.index.n)
    return Joined(np.concatenate([own, rows], 1), np.concatenate([np.zeros_like(own), np.maximum(1, back)], 1))


def join(database: Rounds, joined: Joined, k: int) -> tuple[Joined, list[np.ndarray]]:
    """Queries after all rounds, and S `[Q, N]` of each."""
    length, s = joined.rows.shape[1], []
    values = 2.0 * length - np.arange(length) - np.minimum(length, joined.back)
    joined = moved(joined, values, database.orders[0])
    for weights, before, order in zip(database.weights, database.orders, database.orders[1:], strict=False):
        joined, values = join_round(joined, weights, before.lists, order, k)
        s.append(values)
    return joined, s


def join_round(
    joined: Joined, weights: Weights, before: np.ndarray, order: Order, k: int, total: np.ndarray | None = None
) -> tuple[Joined, np.ndarray]:
    """Queries after a round, and their S `[Q, N]`."""
    n = len(order.lists)
    near = matrix(joined.rows[:, 1:k], k - np.arange(1, k), n)
    lists = matrix(joined.rows[:, 1:], np.maximum(0, k - joined.back[:, 1:]), n)
    lists.eliminate_zeros()
    change = Change(joined, before, np.arange(k, -1, -1))
    s = k * near + lists @ weights.w + near @ weights.others_transposed + change.left(lists) + change.right(near)
    s = 2 * s.toarray()
    own = 2.0 * (k**2 + lists.multiply(lists).sum(1) + near.multiply(near).sum(1))
    values = np.concatenate([own[:, None], np.take_along_axis(s, joined.rows[:, 1:], 1)], 1)
    return moved(joined, values if total is None else values + total, order), s


def moved(joined: Joined, values: np.ndarray, order: Order) -> Joined:
    """Queries with lists sorted by values, which also place them in the lists of items."""
    rows, values = sort(joined.rows, values)
    back = np.maximum(1, order.place(rows[:, 1:], values[:, 1:]))
    return Joined(rows, np.concatenate([np.zeros_like(back[:, :1]), back], 1))
