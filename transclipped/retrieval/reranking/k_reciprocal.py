"""k-reciprocal re-ranking: similar is who shares many mutual neighbours.

With N(i, k) the item and its k nearest, and d_ij = (s_ii − s_ij) / (s_ii − min_j s_ij), which of unit vectors is the
squared distance divided by the row's largest:

- R(i) = {j ∈ N(i, k₁) : i ∈ N(j, k₁)}, and each R½(j) (the same at k₁/2) of which more than ⅔ lies in R(i);
- V_ij = exp(−d_ij) there, of sum 1, then the mean of V over the first k₂ of N(i);
- d_J = 1 − m / (2 − m), m = Σ_j min(V_qj, V_ij); the final distance is (1 − λ) d_J + λ d, the score 1 minus that.

A query is compared with the database alone: it sees no other query, and the database's V are computed once. The
original pools all queries with the database, so that its result for one query depends on the others.

References:
    Zhong et al. 2017, "Re-ranking person re-identification with k-reciprocal encoding", arXiv 1701.08398.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.retrieval.index import FlatIndex, Hits
from transclipped.retrieval.lists import as_queries, best, dots, entries, matrix, own_lists, parts, start
from transclipped.retrieval.stages import Collection, stage, to_query

CHUNK = 512  # queries at once


@dataclass(frozen=True)
class Encoded:
    """What the database's lists say about each item.

    Attributes:
        border, half_border: `[N]`, score that a query needs to be among an item's first k₁, or half as many, others.
        half: `[N, N]`, 1 where two items are mutual neighbours at k₁/2.
        weights: `[N, N]`, V before it is averaged. by_item: V, by column.
    """

    border: np.ndarray
    half_border: np.ndarray
    half: sp.csr_array
    weights: sp.csr_array
    by_item: sp.csc_array


@stage(
    "k-reciprocal",
    kind="reranking",
    idea="Two images are similar if they share many mutual neighbours.",
    formula="(1 − λ)(1 − m / (2 − m)) + λ d, m = Σ min(V_q, Vᵢ)",
    source="arXiv 1701.08398",
    bounds={"k1": (1, 1000), "k2": (1, 1000), "weight": (0, 1)},
)
def k_reciprocal(hits: Hits, collection: Collection, *, k1: int = 20, k2: int = 6, weight: float = 0.3) -> Hits:
    """Hits `[Q, K]`; items that share neighbours with the query may enter. `weight` is λ."""
    queries = start(hits, collection)
    if not hits.rows.size:
        return hits
    database = encoded(collection, k1, k2)
    result = Hits(np.empty(hits.rows.shape, np.float32), np.empty(hits.rows.shape, np.int64))
    for at in range(0, len(queries), CHUNK):
        part = slice(at, at + CHUNK)
        near = Hits(hits.scores[part], hits.rows[part])
        again = _reranked(queries[part], near, collection, database, k1=k1, k2=k2, weight=weight)
        result.scores[part], result.rows[part] = again.scores, again.rows
    return result


def pooled(queries: np.ndarray, items: np.ndarray, *, k1: int = 20, k2: int = 6, weight: float = 0.3) -> np.ndarray:
    """Final distances `[Q, N]` of items `[N, D]` to queries `[Q, D]`, unit vectors, in the original form.

    All queries are pooled with the items, so that the result for one depends on the others.
    """
    both = np.concatenate([queries, items]).astype(np.float32)
    database = encoded(Collection(FlatIndex(both, codebooks=1), both), k1, k2)
    mean = sp.csr_array(database.by_item)[: len(queries)]
    shared = _shared(mean, database.by_item).toarray()[:, len(queries) :]
    scores = both[: len(queries)] @ both.T
    top, bottom = scores.max(1, keepdims=True), scores.min(1, keepdims=True)
    distance = (top - scores[:, len(queries) :]) / np.maximum(top - bottom, np.float32(1e-12))
    return (1 - weight) * (1 - shared / (2 - shared)) + weight * distance


def encoded(collection: Collection, k1: int, k2: int) -> Encoded:
    """The database's part, computed once."""
    name = ("k-reciprocal", k1, k2)
    if name not in collection.memo:
        collection.memo[name] = _encoded(collection, k1, k2)
    return collection.memo[name]


def _encoded(collection: Collection, k1: int, k2: int) -> Encoded:
    items, n = collection.items, collection.index.n
    lists = own_lists(collection, max(k1 + 1, k2))
    half_k = int(np.around(k1 / 2))
    mutual, half = (_mutual(lists.rows[:, : k + 1], n) for k in (k1, half_k))
    vectors = as_queries(collection)
    top, bottom = _range(vectors, items, lists.scores[:, 0], lists.scores.max(1))
    weights = []
    for part in parts(n, k1 * half_k):
        pattern = _expanded(mutual[part], half)
        weights.append(_weighted(pattern, vectors[part], items, top[part], bottom[part]))
    weights = sp.vstack([_normalised(w) for w in weights], format="csr")
    first = lists.rows[:, :k2]
    mean = matrix(first, 1 / first.shape[1], n) @ weights
    border, half_border = (
        lists.scores[:, k] if k < lists.scores.shape[1] else np.full(n, -np.inf) for k in (k1, half_k)
    )
    return Encoded(border, half_border, half, weights, sp.csc_array(mean))


def _mutual(rows: np.ndarray, n: int) -> sp.csr_array:
    """`[N, N]`, 1 where two items are in each other's lists `[N, k]`."""
    near = matrix(rows, 1, n)
    return sp.csr_array(near.multiply(near.T.tocsr()))


def _range(vectors: np.ndarray, items: np.ndarray, own: np.ndarray, first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest and least score of vectors `[n, D]`: of itself or any item, and of any item."""
    least = np.empty(len(vectors), np.float32)
    for part in parts(len(vectors), len(items)):
        least[part] = (vectors[part] @ items.T).min(1)
    return np.maximum(own, first), least


def _expanded(mutual: sp.csr_array, half: sp.csr_array, extra: sp.csr_array | None = None) -> sp.csr_array:
    """R(i) `[n, N]` and the R½(j) of j ∈ R(i) that lie in it to more than two thirds.

    extra: 1 where a query that is no item belongs to both R(i) and R½(j).
    """
    size = half.sum(1)  # [N]
    shared = sp.csr_array((mutual @ half).multiply(mutual))
    whole = mutual @ sp.diags_array(size, format="csr")
    if extra is not None:
        shared, whole = shared + extra, whole + extra
    accepted = sp.csr_array(3 * shared > 2 * whole).astype(np.float64)
    return sp.csr_array(mutual + accepted @ half)


def _weighted(
    pattern: sp.csr_array, vectors: np.ndarray, items: np.ndarray, top: np.ndarray, bottom: np.ndarray
) -> sp.csr_array:
    """exp(−d) wherever the pattern `[n, N]` stores a number."""
    values = np.exp(-_distances(pattern, vectors, items, top, bottom))
    return sp.csr_array((values, pattern.indices, pattern.indptr), pattern.shape)


def _distances(
    pattern: sp.csr_array, vectors: np.ndarray, items: np.ndarray, top: np.ndarray, bottom: np.ndarray
) -> np.ndarray:
    """d in [0, 1] of each entry."""
    row, column = entries(pattern)
    scores = np.empty(len(row), np.float64)
    for part in parts(len(row), items.shape[1]):
        scores[part] = np.einsum("ed,ed->e", vectors[row[part]], items[column[part]])
    width = (top - bottom)[row].astype(np.float64)
    return np.divide(np.maximum(0, top[row] - scores), width, out=np.zeros_like(width), where=width > 0)


def _normalised(weights: sp.csr_array, own: float = 0.0) -> sp.csr_array:
    """Rows of sum 1, of which `own` belongs to the query itself, which is no item."""
    total = weights.sum(1) + own
    return sp.csr_array(sp.diags_array(1 / total, format="csr") @ weights)


def _reranked(
    queries: np.ndarray, hits: Hits, collection: Collection, database: Encoded, *, k1: int, k2: int, weight: float
) -> Hits:
    items, n = collection.items, collection.index.n
    near = hits.rows[:, :k1] if hits.rows.shape[1] >= min(k1, n) else collection.search(queries, k1).rows
    scores = dots(queries, items, near)
    own = (queries**2 / to_query(collection.index)).sum(1)
    top, bottom = _range(queries, items, own, scores.max(1))
    mutual = matrix(near, scores >= database.border[near], n)
    half_k = int(np.around(k1 / 2))
    both = (scores >= np.maximum(database.border, database.half_border)[near]) & (np.arange(near.shape[1]) < half_k)
    extra = matrix(near, both, n)
    for a in (mutual, extra):
        a.eliminate_zeros()
    weights = _normalised(_weighted(_expanded(mutual, database.half, extra), queries, items, top, bottom), own=1.0)
    first = near[:, : k2 - 1]
    mean = (weights + matrix(first, 1.0, n) @ database.weights) / (first.shape[1] + 1)
    shared = _shared(sp.csr_array(mean), database.by_item)
    candidates = shared + matrix(hits.rows, 1e-300, n)  # hits without a shared neighbour are candidates too
    candidates = sp.csr_array(candidates)
    jaccard = 1 - candidates.data / (2 - candidates.data)
    final = (1 - weight) * jaccard + weight * _distances(candidates, queries, items, top, bottom)
    return best(sp.csr_array((1 - final, candidates.indices, candidates.indptr), candidates.shape), hits.rows.shape[1])


def _shared(a: sp.csr_array, by_item: sp.csc_array) -> sp.csr_array:
    """Σ_j min(a_qj, b_ij), `[Q, N]`, of `[Q, N]` and `[N, N]` by column."""
    row, column = entries(a)
    count = np.diff(by_item.indptr)[column]
    at = np.repeat(by_item.indptr[column] - (count.cumsum() - count), count) + np.arange(count.sum())
    least = np.minimum(np.repeat(a.data, count), by_item.data[at])
    return sp.csr_array(sp.coo_array((least, (np.repeat(row, count), by_item.indices[at])), a.shape))
