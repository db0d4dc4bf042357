"""Cartesian product of ranking references: two items are alike if they occur together near the front of many lists.

Lists `[n, L]` are first sorted by (L − pos_q(i)) + (L − pos_i(q)). With W[q, τ_q[j]] = k − j for the first k entries,
and W' without its diagonal, a round sorts each list by

    S = 2 (WᵀW + W'W'ᵀ),

where nothing new enters a list. Two rounds.

A query that is no item joins as `joining` says.

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
from transclipped.retrieval.lists import by_place, checked, first_distinct, matrix, own_lists, reaching, start
from transclipped.retrieval.orders import Order, back_positions, ordered_by, sampled, sort
from transclipped.retrieval.reranking.joining import Near, joining, replaced, without
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
        first: `[n, L]`, as they came, with their scores. back: position of each item in the lists of its entries.
        weights: of each round. lists: `[n, L]`, at the end.
    """

    first: Order
    back: np.ndarray
    weights: list[Weights]
    lists: np.ndarray


def cprr(lists: np.ndarray, *, k: int = 20) -> np.ndarray:
    """Lists `[n, L]` int64 in their new order; `k` < L. Raises InputError if a list lacks its own item at the front."""
    lists = checked(lists)
    if not 1 <= k < lists.shape[1]:
        raise InputError(f"k is {k}, but must be from 1 to {lists.shape[1] - 1}, less than the lists' length")
    return rounds(lists, k).lists


def rounds(lists: np.ndarray, k: int, scores: np.ndarray | None = None) -> Rounds:
    """All steps on the lists `[n, L]` of a database."""
    first, back, weights = Order(lists, lists if scores is None else scores), back_positions(lists), []
    lists = ordered_by(lists, lambda part: mutual(back[part]))
    for _ in range(ROUNDS):
        weights.append(weights_of(lists, k))
        lists = again(lists, weights[-1])
    return Rounds(first, back, weights, lists)


def mutual(back: np.ndarray) -> np.ndarray:
    """What lists `[p, L]` are sorted by at first: both positions."""
    length = back.shape[1]
    return 2.0 * length - np.arange(length) - back


def weights_of(lists: np.ndarray, k: int) -> Weights:
    w, others = (matrix(lists[:, at:k], k - np.arange(at, k), len(lists)) for at in (0, 1))
    return Weights(w, w.T.tocsr(), others, others.T.tocsr())


def again(lists: np.ndarray, weights: Weights, total: np.ndarray | None = None) -> np.ndarray:
    """Lists sorted by S, or by S + total `[n, L]`."""

    def values(part: slice) -> np.ndarray:
        s = sampled(weights.together(part), lists[part])
        return s if total is None else s + total[part]

    return ordered_by(lists, values, width=len(lists))


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
    for q, near in enumerate(joining(database.first, database.back, queries, rows, collection, k=k)):
        lists, _ = join(database, near, k)
        result[q] = first_distinct(np.concatenate([lists[-1:, 1:], hits.rows[[q]]], 1), hits.rows.shape[1])[0]
    return by_place(result)


def of_database(collection: Collection, k: int, depth: int) -> Rounds:
    """The steps on the database's own lists, computed once."""
    name = ("cprr", k, depth)
    if name not in collection.memo:
        lists = own_lists(collection, depth)
        collection.memo[name] = rounds(lists.rows, min(k, lists.rows.shape[1] - 1), lists.scores)
    return collection.memo[name]


def join(database: Rounds, near: Near, k: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Lists `[c, L]` that a query changes after all rounds, and their S `[c, N + 1]` in each."""
    lists, _ = sort(near.lists, mutual(near.back))
    s = []
    for weights in database.weights:
        s.append(together(weights, near.rows, lists, k))
        lists, _ = sort(lists, np.take_along_axis(s[-1], lists, 1))
    return lists, s


def together(weights: Weights, rows: np.ndarray, lists: np.ndarray, k: int) -> np.ndarray:
    """Rows of S, `[c, N + 1]`, where the lists of `rows` `[c]` are `lists` `[c, L]`, and all others as they were."""
    changed, n = rows[:-1], rows[-1]
    w, others = (matrix(lists[:, at:k], k - np.arange(at, k), n + 1) for at in (0, 1))
    first = sp.csr_array(w[:, rows].T @ w).toarray()
    first[:-1, :n] += (without(weights.transposed[changed], changed, n) @ weights.w).toarray()
    second = without(others, rows[-1:], n) @ weights.others_transposed
    return 2 * (first + replaced(second, rows, others @ others.T).toarray())
