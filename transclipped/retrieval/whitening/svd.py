"""Truncated singular value decomposition: principal axes around zero instead of around the mean.

Of all projections on d directions it keeps inner products best.

Source: Eckart & Young 1936, "The approximation of one matrix by another of lower rank".
"""

import numpy as np

from transclipped.retrieval.checks import training_rows
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal
from transclipped.retrieval.whitening.whiten import project


def fit(vectors: np.ndarray, *, dim: int = 128) -> State:
    """`mean` `[D]` of zeros and `matrix` `[D, d]` float32 with d = min(dim, D)."""
    result = principal(training_rows(vectors, "svd"), dim, centre=False)
    return {"mean": result.mean.astype(np.float32), "matrix": result.matrix.astype(np.float32)}


@stage(
    "svd",
    kind="transform",
    idea="Keep the directions that preserve inner products best; nothing is centred.",
    formula="x V_d, where Xᵀ X / n = V Λ Vᵀ",
    source="10.1007/BF02288367",
    fit=fit,
    bounds={"dim": (1, 2**15)},
)
def svd(vectors: np.ndarray, state: State, *, dim: int = 128) -> np.ndarray:
    """Vectors `[N, min(dim, D)]`."""
    return project(vectors, state, "svd")
