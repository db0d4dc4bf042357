"""Database augmentation: every item moves towards its nearest neighbours, which evens out noise.

x becomes unit(x + Σ_j s_j^α x_j) over the k nearest others, with similarity s_j (negative ones as 0). α = 0 adds them
equally, as PyRetri does; a larger α trusts near ones more. Queries stay as they are.

Source: Arandjelović & Zisserman 2012, "Three things everyone should know to improve object retrieval".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.stages import stage
from transclipped.retrieval.vectors import unit

if TYPE_CHECKING:
    from transclipped.retrieval.index import Hits

CELLS = 2**24  # numbers gathered at once


@stage(
    "dba",
    kind="augmentation",
    idea="Move every item of the database towards its nearest neighbours.",
    formula="unit(x + Σ_{j ∈ kNN(x)} s_j^α x_j)",
    source="10.1109/CVPR.2012.6248018",
    bounds={"k": (1, 1000), "alpha": (0, 20)},
)
def dba(vectors: np.ndarray, neighbours: Callable[[int], Hits], *, k: int = 10, alpha: float = 0.0) -> np.ndarray:
    """Augmented vectors `[N, D]` at unit length.

    Args:
        neighbours: returns the n most similar items of each vector by inner product, itself among them.
    """
    x = rows(vectors)
    if len(x) < 2:
        return unit(x)
    scores, near = _others(neighbours(min(k + 1, len(x))), len(x))
    return unit(x + _sums(x, near, _weights(scores, alpha)))


def smooth(views: np.ndarray, database: np.ndarray, *, k: int = 10, alpha: float = 0.0) -> np.ndarray:
    """Weighted mean of each view's k most similar items of a database that is not augmented itself.

    Args:
        views: `[…, D]`. database: `[N, D]`, N >= 1; both are compared by cosine.

    Returns:
        `[…, D]` float32, not normalised. Where no similarity is positive, all weights are equal.
    """
    import faiss  # not at the top, since listing the methods needs no faiss

    x = rows(np.asarray(views).reshape(-1, np.shape(views)[-1]), name="views")
    items = training_rows(database, "smoothing", name="database vectors")
    same_width("smoothing", items.shape[1], x.shape[1])
    scores, near = faiss.knn(unit(x), unit(items), min(k, len(items)), faiss.METRIC_INNER_PRODUCT)
    weights = _weights(scores, alpha)
    weights[~weights.any(1)] = 1
    return _sums(items, near, weights / weights.sum(1, keepdims=True)).reshape(np.shape(views))


def _weights(scores: np.ndarray, alpha: float) -> np.ndarray:
    """s^α of similarities, negative ones as 0; all 1 if α is 0."""
    return np.maximum(scores, 0) ** np.float32(alpha)


def _others(hits: Hits, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and rows `[N, k]` without the item itself, which many duplicates can crowd out of its own list."""
    others = hits.rows != np.arange(n)[:, None]
    others[others.all(1), -1] = False
    return hits.scores[others].reshape(n, -1), hits.rows[others].reshape(n, -1)


def _sums(items: np.ndarray, near: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Σ_j w_ij x_j over the rows `near` `[n, k]` of items `[N, D]`: `[n, D]` float32."""
    step = max(1, CELLS // max(1, near.shape[1] * items.shape[1]))
    parts = (slice(start, start + step) for start in range(0, len(near), step))
    sums = [np.einsum("nk,nkd->nd", weights[part], items[near[part]], optimize=True) for part in parts]
    return np.concatenate(sums) if sums else np.zeros((0, items.shape[1]), np.float32)
