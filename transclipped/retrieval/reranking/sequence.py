"""Sequence match: for queries in an order, such as frames of a walk, a place counts by the frames that led to it.

With s(q, i) the similarity of query q and item i, both in the order of time,

    S(q, i) = Σ_{d < L} s(q − d, i − d) / L

along a diagonal; near the beginning of either order, the mean is over the frames that there are. A single frame that
looks like another place by chance is outvoted by its neighbours. Where queries are the database's own frames, those
close in time are alike without being a return: `exclude` puts items with |i − q| < exclude at the end.

All items are ranked, not only the hits so far; these give their number, and the queries where a method has moved them.

References:
    Milford & Wyeth 2012, "SeqSLAM", doi 10.1109/ICRA.2012.6224623 (without its search over speeds).
"""

from __future__ import annotations

import numpy as np

from transclipped.retrieval.index import Hits, ordered
from transclipped.retrieval.lists import parts, start
from transclipped.retrieval.stages import Collection, stage


@stage(
    "sequence",
    kind="reranking",
    idea="Queries in order of time: an item counts by the items before it, which should match the queries before.",
    formula="Σ_{d<L} s(q − d, i − d) / L",
    source="doi 10.1109/ICRA.2012.6224623",
    bounds={"length": (1, 100), "exclude": (0, 2**31 - 1)},
)
def sequence(hits: Hits, collection: Collection, *, length: int = 10, exclude: int = 0) -> Hits:
    """The best items `[Q, K]` for queries and a database that are each in order."""
    queries, items = start(hits, collection), collection.items
    result = Hits(np.empty(hits.scores.shape, np.float32), np.empty(hits.rows.shape, np.int64))
    if not hits.rows.size:
        return hits
    far = _beyond(queries, items)
    for part in parts(len(queries), 4 * len(items)):
        first = max(0, part.start - length + 1)
        summed = diagonals(queries[first : part.stop] @ items.T, length)[part.start - first :]
        if exclude:
            close = np.abs(np.arange(part.start, part.stop)[:, None] - np.arange(len(items))) < exclude
            summed[close] -= far
        result.scores[part], result.rows[part] = _best(summed, hits.rows.shape[1])
    return result


def diagonals(s: np.ndarray, length: int) -> np.ndarray:
    """Means of up to `length` entries of similarities `[Q, N]` that end at each, going up and to the left."""
    total = s.astype(np.float32)
    for d in range(1, min(length, *s.shape)):
        total[d:, d:] += s[:-d, :-d]
    q, i = np.arange(len(s))[:, None], np.arange(s.shape[1])
    return total / np.minimum(length, np.minimum(q, i) + 1).astype(np.float32)


def _beyond(queries: np.ndarray, items: np.ndarray) -> np.float32:
    """More than any two scores differ by."""
    largest = [np.linalg.norm(x, axis=1).max() for x in (queries, items)]
    return np.float32(2 * largest[0] * largest[1] + 1)


def _best(scores: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of each row: score descending, then row ascending."""
    scores, rows = ordered(scores, np.broadcast_to(np.arange(scores.shape[1]), scores.shape))
    return scores[:, :k], rows[:, :k]
