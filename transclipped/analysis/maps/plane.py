"""Vectors on a plane: PCA, and how far neighbours on the plane are neighbours among the vectors.

Source of trustworthiness: Venna & Kaski 2001.
"""

import numpy as np

from transclipped.analysis.maps.store import Map
from transclipped.errors import InputError
from transclipped.retrieval.vectors import unit
from transclipped.retrieval.whitening import pca as whitening

TRUST_NEIGHBOURS = 15  # k of trustworthiness
TRUST_ANCHORS = 1000  # at most, drawn at random
CHUNK = 256  # anchors at once, to bound memory


def pca(vectors: np.ndarray) -> Map:
    """Projection of `[n, D]` on the two directions of largest variance; deterministic.

    The largest loading of each direction is made positive. A direction without variance gives zeros.
    """
    _check(vectors)
    projection = whitening.pca(vectors, 2)
    xy = np.zeros((len(vectors), 2), np.float32)
    xy[:, : projection.matrix.shape[1]] = projection(vectors)
    share = float(projection.variance.sum()) / projection.total if projection.total > 0 else 0.0
    return Map(xy, trustworthiness(vectors, xy, metric="euclidean"), {"method": "pca", "variance": share})


def trustworthiness(
    vectors: np.ndarray,
    xy: np.ndarray,
    *,
    k: int = TRUST_NEIGHBOURS,
    metric: str = "cosine",
    anchors: int = TRUST_ANCHORS,
    seed: int = 0,
) -> float | None:
    """How far neighbours on the map are neighbours in the embedding, 1 if all are.

        1 − 2 / (a k (2n − 3k − 1)) · Σ_i Σ_{j ∈ U_i} (r(i, j) − k)

    over a anchors i, where U_i are those of i's k nearest on the map whose rank r(i, j) in the embedding is beyond k.
    The rank of j counts strictly nearer points, so ties help (scikit-learn breaks them arbitrarily). Of
    more than `anchors` points, a random sample is compared with all points.

    Args:
        vectors: `[n, D]`. xy: `[n, 2]`.

    Returns:
        A value in [0, 1], or None if n < 4.
    """
    _check(vectors)
    n = len(vectors)
    if xy.shape != (n, 2):
        raise ValueError(f"need positions [{n}, 2], got {[*xy.shape]}")
    k = min(k, (n - 1) // 2)
    if n < 4 or k < 1:
        return None
    x = unit(vectors).astype(np.float32) if metric == "cosine" else np.asarray(vectors, np.float32)
    x, y = x - x.mean(0), np.asarray(xy - xy.mean(0), np.float32)
    at = sample(n, anchors, seed=seed)
    excess = sum(_excess(x, y, at[start : start + CHUNK], k) for start in range(0, len(at), CHUNK))
    return float(1 - excess * 2 / (len(at) * k * (2 * n - 3 * k - 1)))


def place_by_neighbours(xy: np.ndarray, rows: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Position `[2]` of a new image on a map: the mean of its neighbours' positions, weighted by nearness.

    Weights are e^{−(d − d_min)/σ}, σ the mean of d − d_min: UMAP's, with a simpler σ. `rows` and `distances` `[k]` are
    of its neighbours in the embedding.
    """
    if not len(rows):
        raise ValueError("an image without neighbours has no position")
    beyond = np.asarray(distances, np.float64) - np.min(distances)
    scale = beyond.mean()
    weights = np.exp(-beyond / scale) if scale > 0 else np.ones(len(rows))
    return (weights[:, None] * xy[rows]).sum(0) / weights.sum()


def sample(n: int, limit: int, *, seed: int) -> np.ndarray:
    """At most `limit` of n rows, sorted, the same for a seed."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:limit])


def _excess(x: np.ndarray, y: np.ndarray, rows: np.ndarray, k: int) -> int:
    """Σ_i Σ_{j ∈ U_i} (r(i, j) − k) over the anchors `rows`, of vectors x `[n, D]` and their places y `[n, 2]`."""
    mine, norms = np.arange(len(rows)), (x * x).sum(1)
    far = norms[None] - 2 * (x[rows] @ x.T) + norms[rows, None]  # [c, n] squared distances
    equal = 1e-6 * far.max(1)  # tolerance for rounding
    far[mine, rows] = np.inf
    flat = (y[rows, 0, None] - y[None, :, 0]) ** 2 + (y[rows, 1, None] - y[None, :, 1]) ** 2
    flat[mine, rows] = np.inf
    near = np.argpartition(flat, k - 1, axis=1)[:, :k]  # [c, k]
    excess = 0
    for theirs in np.take_along_axis(far, near, 1).T:  # [c], distances of one neighbour each
        rank = 1 + (far < (theirs - equal)[:, None]).sum(1)
        excess += int(np.maximum(0, rank - k).sum())
    return excess


def _check(vectors: np.ndarray) -> None:
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise InputError(f"a map needs finite vectors [n, D], got {[*vectors.shape]}; measure the run again")
