"""Smoothing: every vector, of items, queries and training views alike, becomes a mean of its nearest items.

x becomes unit(Σ_j s_j^α x_j) over the k most similar items of the database as it was, with similarity s_j (negative
ones as 0). An item is its own nearest. Unlike `dba`, queries move as items do, so that both meet in the same place; for
that the vectors of the database stay at hand, which counts as bytes of an item.

Source: Arandjelović & Zisserman 2012, "Three things everyone should know to improve object retrieval" (both sides).
"""

import numpy as np

from transclipped.retrieval.augmentation.dba import smooth as means
from transclipped.retrieval.checks import rows, training_rows
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.vectors import unit


def fit(vectors: np.ndarray, *, database: np.ndarray) -> State:
    """`items` `[N, D]` float32; the training vectors are not used."""
    return {"items": training_rows(database, "smooth", name="database vectors")}


@stage(
    "smooth",
    kind="transform",
    idea="Replace every vector, queries too, by a mean of its nearest items of the database.",
    formula="unit(Σ_{j ∈ kNN(x)} s_j^α x_j)",
    source="10.1109/CVPR.2012.6248018",
    fit=fit,
    needs=("database",),
    bounds={"k": (1, 1000), "alpha": (0, 20)},
)
def smooth(vectors: np.ndarray, state: State, *, k: int = 20, alpha: float = 3.0) -> np.ndarray:
    """Smoothed vectors `[N, D]` float32 at unit length."""
    return unit(means(rows(vectors), state["items"], k=k, alpha=alpha))
