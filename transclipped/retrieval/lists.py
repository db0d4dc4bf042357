"""Ranked lists `[n, L]`: an item's row of a database, then the rows most similar to it, best first.

What re-ranking and fusion share: checks, sparse matrices made of lists, and the best entries of such a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.errors import InputError
from transclipped.retrieval.index import CELLS, Hits, ordered
from transclipped.retrieval.stages import Collection, to_query

NUMBERS = 2**24  # numbers gathered at once: 64 MB of float32


@dataclass(frozen=True)
class Moved(Hits):
    """Hits of queries that a re-ranking has moved to `queries` `[Q, D]`, where the next one starts."""

    queries: np.ndarray


def start(hits: Hits, collection: Collection) -> np.ndarray:
    """Queries `[Q, D]` float32 that hits belong to. Raises InputError if a number is not finite or a row unknown."""
    queries = np.ascontiguousarray(getattr(hits, "queries", collection.queries), np.float32)
    if len(hits.rows) != len(queries):
        raise InputError(f"{len(hits.rows)} lists of hits belong to {len(queries)} queries; search again")
    if hits.rows.size and not 0 <= hits.rows.min() <= hits.rows.max() < collection.index.n:
        raise InputError(f"hits name items beyond the {collection.index.n} of the database; search this database again")
    for what, numbers in (("scores", hits.scores), ("queries", queries)):
        if not np.isfinite(numbers).all():
            raise InputError(f"{what} contain NaN or infinity; remove these vectors before the search")
    if not np.isfinite(collection.items).all():
        raise InputError("the database contains NaN or infinity; remove these vectors before indexing")
    return queries


def codebooks(collection: Collection) -> int:
    """M of an index whose queries are M unit sub-vectors, else 1."""
    return int(getattr(collection.index, "m", 1))


def as_queries(collection: Collection) -> np.ndarray:
    """All items as queries, `[N, D']` float32."""
    if "as queries" not in collection.memo:
        factor = to_query(collection.index)
        collection.memo["as queries"] = collection.items if (factor == 1).all() else collection.items * factor
    return collection.memo["as queries"]


def dots(left: np.ndarray, right: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Inner products ⟨left_i, right_{rows_ij}⟩, `[n, k]` float32, of `[n, D]`, `[N, D]` and rows `[n, k]`."""
    result = np.empty(rows.shape, np.float32)
    for part in parts(len(rows), rows.shape[1] * left.shape[1]):
        result[part] = np.einsum("id,ijd->ij", left[part], right[rows[part]], optimize=True)
    return result


def parts(n: int, width: int, cells: int = NUMBERS) -> Iterator[slice]:
    """Slices of n rows, of at most `cells` numbers at `width` a row."""
    step = max(1, cells // max(1, width))
    for at in range(0, n, step):
        yield slice(at, min(n, at + step))


def own_lists(collection: Collection, k: int) -> Hits:
    """Each item and the k − 1 most similar others, `[N, min(k, N)]`.

    Scores are inner products of items as queries, descending even where a fusion made the lists.
    """
    k = min(k, collection.index.n)
    name = ("lists", k)
    if name not in collection.memo:
        rows = own_first(collection.neighbours(k).rows[:, :k])
        scores = dots(as_queries(collection), collection.items, rows)
        collection.memo[name] = Hits(-np.sort(-scores, 1), rows)
    return collection.memo[name]


def own_first(rows: np.ndarray) -> np.ndarray:
    """Lists `[n, L]` with row i at the front of list i; a list without it loses its last."""
    own = rows == np.arange(len(rows))[:, None]
    own[~own.any(1), -1] = True  # among many equal items, a list may miss its own
    rest = rows[~own].reshape(len(rows), -1)
    return np.concatenate([np.arange(len(rows))[:, None], rest], 1) if rows.size else rows


def checked(lists: np.ndarray) -> np.ndarray:
    """Lists `[n, L]` as int64. Raises InputError unless each holds its own row first and no row twice."""
    lists = np.asarray(lists)
    n = len(lists)
    if lists.ndim != 2 or lists.dtype.kind not in "iu" or not 0 < lists.shape[1] <= n:
        raise InputError(f"need lists [n, L] of rows, 0 < L <= n, got {lists.dtype} {[*lists.shape]}")
    if lists.min() < 0 or lists.max() >= n:
        raise InputError(f"lists name rows {lists.min()} to {lists.max()}; those of {n} items are 0 to {n - 1}")
    if (wrong := np.flatnonzero(lists[:, 0] != np.arange(n))).size:
        raise InputError(f"list {wrong[0]} begins with {lists[wrong[0], 0]}; each must begin with its own item")
    ranked = np.sort(lists, 1)
    if (twice := np.flatnonzero((ranked[:, 1:] == ranked[:, :-1]).any(1))).size:
        raise InputError(f"list {twice[0]} names an item twice; each item may occur once in a list")
    return lists.astype(np.int64)


def matrix(rows: np.ndarray, values: np.ndarray | float, n: int) -> sp.csr_array:
    """Sparse `[Q, n]` float64 with `values` at rows `[Q, k]`, which are distinct within a list."""
    q, k = rows.shape
    values = np.broadcast_to(np.asarray(values, np.float64), rows.shape)
    ends = np.arange(q + 1) * k
    result = sp.csr_array((values.flatten(), rows.flatten(), ends), shape=(q, n))  # copies, which are sorted in place
    result.sort_indices()
    return result


def entries(a: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of each stored number."""
    return np.repeat(np.arange(a.shape[0]), np.diff(a.indptr)), a.indices


def best(a: sp.csr_array, k: int) -> Hits:
    """The k largest stored numbers of each row, which stores at least k: ties by column."""
    row, column = entries(a)
    length = np.diff(a.indptr)
    place = np.arange(len(row)) - np.repeat(a.indptr[:-1], length)
    scores = np.full((a.shape[0], int(length.max(initial=k))), -np.inf, np.float32)
    rows = np.zeros(scores.shape, np.int64)
    scores[row, place], rows[row, place] = a.data, column
    scores, rows = ordered(scores, rows)
    return Hits(scores[:, :k], rows[:, :k])


def united(rows: np.ndarray, values: np.ndarray, k: int) -> Hits:
    """The k largest sums of values `[Q, m]` over equal rows `[Q, m]`: ties by row."""
    hits = Hits(np.empty((len(rows), k), np.float32), np.empty((len(rows), k), np.int64))
    for part in parts(len(rows), rows.shape[1], CELLS):
        order = np.argsort(rows[part], axis=1, kind="stable")
        row, value = (np.take_along_axis(x[part], order, 1) for x in (rows, values))
        first = np.ones(row.shape, bool)
        first[:, 1:] = row[:, 1:] != row[:, :-1]
        sums = np.full(row.shape, -np.inf, np.float32)
        sums[first] = np.add.reduceat(value.ravel(), np.flatnonzero(first)) if row.size else value.ravel()
        scores, row = ordered(sums, row)
        hits.scores[part], hits.rows[part] = scores[:, :k], row[:, :k]
    return hits


def first_distinct(rows: np.ndarray, k: int) -> np.ndarray:
    """The first k distinct rows of each list `[Q, m]`, which holds at least k."""
    order = np.argsort(rows, 1, kind="stable")
    ranked = np.take_along_axis(rows, order, 1)
    again = np.zeros(rows.shape, bool)
    np.put_along_axis(again, order[:, 1:], ranked[:, 1:] == ranked[:, :-1], 1)
    return np.take_along_axis(rows, np.argsort(again, 1, kind="stable")[:, :k], 1)


def reaching(hits: Hits, queries: np.ndarray, collection: Collection, k: int) -> np.ndarray:
    """Rows `[Q, k]` of hits; where these are fewer, the best other items follow."""
    if hits.rows.shape[1] >= k:
        return hits.rows[:, :k]
    return first_distinct(np.concatenate([hits.rows, collection.search(queries, k).rows], 1), k)


def by_place(rows: np.ndarray) -> Hits:
    """Hits whose score is their place alone, from 1 down to 1 / K."""
    k = rows.shape[1]
    scores = np.broadcast_to((k - np.arange(k, dtype=np.float32)) / np.float32(max(k, 1)), rows.shape)
    return Hits(scores.copy(), rows.astype(np.int64))
