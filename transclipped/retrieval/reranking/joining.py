"""How a query that is no item joins the lists of a database.

If it were an item, all lists that hold it would change, and with them, step by step, all others. Here the lists of the
items nearest to it, and of those that hold it near their front, are rebuilt in every step with the query among them;
all others stay as they are without it. What a step needs of the others is at hand, so that a query takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.retrieval.lists import dots
from transclipped.retrieval.orders import Order
from transclipped.retrieval.stages import Collection

LEAST = 40  # lists of the nearest items that change


@dataclass(frozen=True)
class Near:
    """Lists that a query changes.

    Attributes:
        rows: `[c]`, items in ascending order, then N for the query itself.
        lists: `[c, L]` of these, N where the query stands.
        back: `[c, L]`, position of each of `rows` in the lists of its entries, from 0; L where it is absent.
    """

    rows: np.ndarray
    lists: np.ndarray
    back: np.ndarray


def joining(
    first: Order, back: np.ndarray, queries: np.ndarray, rows: np.ndarray, collection: Collection, *, k: int
) -> Iterator[Near]:
    """Each query `[D]` with its hits `[L - 1]`, of `queries` and `rows`: it stands where its score places it.

    Args:
        first: lists of the database, whose values are scores. back: of their entries, as in `Near`.
        k: of the first 2k hits the lists change, or of the first `LEAST`; and those with the query among their first k.
    """
    for query, hits in zip(queries, rows, strict=True):
        place = places(first, query, hits, collection)
        yield joined(first.lists, back, hits, place, np.unique(nearest(hits, place, k)))


def nearest(hits: np.ndarray, place: np.ndarray, k: int) -> np.ndarray:
    """Items whose lists a query changes, of hits `[L - 1]` in whose lists it stands at `place`."""
    return np.concatenate([hits[: max(2 * k, LEAST)], hits[place < k]])


def places(first: Order, query: np.ndarray, hits: np.ndarray, collection: Collection) -> np.ndarray:
    """Where a query `[D]` stands in the lists of its hits `[L - 1]`: after their own item and what scores more."""
    return np.maximum(1, first.place(hits, dots(query[None], collection.items, hits[None])[0]))


def joined(lists: np.ndarray, back: np.ndarray, hits: np.ndarray, place: np.ndarray, changed: np.ndarray) -> Near:
    """Lists of `changed` items and of a query with hits `[L - 1]`, which stands at `place` in their lists."""
    n, length = lists.shape
    there, here = np.full(n + 1, length), np.full(n + 1, length)  # places of the query with items, and of items with it
    there[hits], here[hits] = np.minimum(place, length), np.arange(1, len(hits) + 1)
    there[n] = 0
    at, enters = np.arange(length), there[changed][:, None]
    before = at - (at > enters)  # where an entry stood without the query
    rows = np.where(at == enters, n, np.take_along_axis(lists[changed], before, 1))
    position = np.take_along_axis(back[changed], before, 1)
    position = np.where(rows == n, here[changed][:, None], position + (position >= there[rows]))
    own = np.concatenate([[n], hits])
    return Near(
        np.append(changed, n),
        np.concatenate([rows, own[None]]),
        np.concatenate([np.minimum(position, length), there[own][None]]),
    )


def without(a: sp.csr_array, columns: np.ndarray, width: int) -> sp.csr_array:
    """A sparse matrix `[c, width]` of the numbers of another, but for some columns."""
    marked = np.zeros(max(width, a.shape[1]), bool)
    marked[columns] = True
    stays = ~marked[a.indices]
    ends = np.concatenate([[0], stays.cumsum()])[a.indptr]
    return sp.csr_array((a.data[stays], a.indices[stays], ends), (a.shape[0], width))


def replaced(a: sp.csr_array, rows: np.ndarray, block: sp.csr_array) -> sp.csr_array:
    """A sparse matrix `[c, N + 1]` whose columns `rows` are those of a block `[c, c]`."""
    n = rows[-1]
    spread = sp.csr_array((np.ones(len(rows)), rows, np.arange(len(rows) + 1)), (len(rows), n + 1))
    return without(a, rows, n + 1) + block @ spread
