"""Principal axes as stages: `pca` keeps the first few, `whiten` also evens out their variances.

With covariance V Λ Vᵀ of the training vectors, a vector becomes (x − μ) V_d Λ_d^(−p/2): `pca` is p = 0, and `whiten`
goes from rotation (p = 0) to equal variances (p = 1). Directions without variance give 0 if p > 0. Learn from vectors
at unit length and normalise the result again: l2 | pca(128) | l2.

Source: Jégou & Chum 2012, "Negative evidences and co-occurrences in image retrieval: the benefit of PCA and whitening".
"""

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal

JEGOU_CHUM = "10.1007/978-3-642-33709-3_55"


def fit(vectors: np.ndarray, *, power: float = 0.0, dim: int = 0, method: str = "whiten") -> State:
    """`mean` `[D]` and `matrix` `[D, d]` float32 with d = min(dim, D), or all if `dim` is 0."""
    x = training_rows(vectors, method)
    result = principal(x, dim or x.shape[1], power=-power / 2)
    return {"mean": result.mean.astype(np.float32), "matrix": result.matrix.astype(np.float32)}


def fit_whiten(vectors: np.ndarray, *, power: float = 1.0, dim: int = 0) -> State:
    """As `fit`, with the defaults of `whiten`."""
    return fit(vectors, power=power, dim=dim)


def fit_pca(vectors: np.ndarray, *, dim: int = 128) -> State:
    """As `fit`, without scaling."""
    return fit(vectors, dim=dim, method="pca")


def project(vectors: np.ndarray, state: State, method: str) -> np.ndarray:
    """Vectors `[N, d]` float32: (x − mean) @ matrix."""
    x = rows(vectors)
    same_width(method, len(state["mean"]), x.shape[1])
    return (x - state["mean"]) @ state["matrix"]


@stage(
    "whiten",
    kind="transform",
    idea="Rotate to principal axes and even out their variances, so that frequent features count less.",
    formula="(x − μ) V Λ^(−p/2)",
    source=JEGOU_CHUM,
    fit=fit_whiten,
    bounds={"power": (0, 1), "dim": (0, 2**15)},
)
def whiten(vectors: np.ndarray, state: State, *, power: float = 1.0, dim: int = 0) -> np.ndarray:
    """Vectors `[N, d]` on the first `dim` axes, or on all if 0; power 0 only rotates, 1 whitens fully."""
    return project(vectors, state, "whiten")


@stage(
    "pca",
    kind="transform",
    idea="Keep the directions in which vectors differ most.",
    formula="(x − μ) V_d",
    source=JEGOU_CHUM,
    fit=fit_pca,
    bounds={"dim": (1, 2**15)},
)
def pca(vectors: np.ndarray, state: State, *, dim: int = 128) -> np.ndarray:
    """Vectors `[N, min(dim, D)]`."""
    return project(vectors, state, "pca")
