"""Relevance feedback: a query moves towards hits marked as good, and away from those marked as bad.

Of query q, good items G and bad items B, by their decoded codes,

    q' = α q + β · mean(G) − γ · mean(B),

with each sub-vector scaled back to unit length, so that scores stay in [−1, 1] and all codebooks keep equal weight.

References:
    Rocchio 1971, "Relevance feedback in information retrieval", in Salton (ed.), The SMART Retrieval System.
    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, §9.1.1: α = 1, β = 0.75, γ = 0.15.
"""

import numpy as np

from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import Moved, as_queries, codebooks, start
from transclipped.retrieval.stages import Collection, stage
from transclipped.retrieval.vectors import unit

ALPHA, BETA, GAMMA = 1.0, 0.75, 0.15
TINY = 1e-6  # length below which a sub-vector has no direction


def rocchio(
    query: np.ndarray,
    good: np.ndarray,
    bad: np.ndarray,
    *,
    codebooks: int,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
) -> np.ndarray:
    """The query after feedback, `[D]` float32 of M unit sub-vectors.

    Args:
        query: `[D]`, continuous. good, bad: `[n, D]` of marked items, n may be 0.
        codebooks: M, a divisor of D.
        alpha, beta, gamma: weights of query, good and bad items, not negative.

    Raises:
        ValueError: shapes disagree, or a weight is negative.
    """
    if query.ndim != 1 or good.shape[1:] != query.shape or bad.shape[1:] != query.shape or len(query) % codebooks:
        raise ValueError(
            f"need [D], [n, D] and [n, D], D a multiple of {codebooks}, got "
            f"{[*query.shape]}, {[*good.shape]} and {[*bad.shape]}"
        )
    if min(alpha, beta, gamma) < 0:
        raise ValueError(f"weights must not be negative, got {alpha}, {beta} and {gamma}")
    before = _parts(query, codebooks)
    moved = alpha * before
    for items, weight in ((good, beta), (bad, -gamma)):
        if len(items):
            moved = moved + weight * _parts(items.astype(np.float64).mean(0), codebooks)
    long = np.linalg.norm(moved, axis=1, keepdims=True) > TINY
    return np.where(long, unit(moved), before).ravel().astype(np.float32)  # sub-vectors that cancel out stay unchanged


@stage(
    "rocchio",
    kind="reranking",
    idea="Move towards the first hits and away from the last.",
    formula="α q + β mean(first) − γ mean(last)",
    source="Rocchio 1971",
    bounds={"good": (0, 1000), "bad": (0, 1000), "alpha": (0, 100), "beta": (0, 100), "gamma": (0, 100)},
)
def pseudo_feedback(
    hits: Hits,
    collection: Collection,
    *,
    good: int = 10,
    bad: int = 10,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
) -> Hits:
    """Hits `[Q, K]` after feedback that nobody gave: the first hits count as good, the last of the others as bad."""
    queries, items, m = start(hits, collection), as_queries(collection), codebooks(collection)
    moved = queries.copy()
    for query, rows in enumerate(hits.rows):
        first, others = rows[:good], rows[good:]
        last = others[max(0, len(others) - bad) :]
        marked = items[first], items[last]
        moved[query] = rocchio(queries[query], *marked, codebooks=m, alpha=alpha, beta=beta, gamma=gamma)
    again = collection.search(moved, hits.rows.shape[1])
    return Moved(again.scores, again.rows, moved)


def _parts(vector: np.ndarray, codebooks: int) -> np.ndarray:
    """Sub-vectors `[M, d]` float64."""
    return vector.astype(np.float64).reshape(codebooks, -1)
