"""Vectors on a plane: PCA, exact neighbours, and how far neighbours on the plane are neighbours among the vectors.

Source of trustworthiness: Venna & Kaski 2001.
"""

from __future__ import annotations

import numpy as np

from transclipped.analysis.maps.store import Map
from transclipped.errors import InputError

TRUST_NEIGHBOURS = 15  # k of trustworthiness
TRUST_ANCHORS = 1000  # points it is measured at, where there are more
CHUNK = 256  # anchors whose distances to all points are held at once
EXACT, BLOCK, ITERATIONS = 256, 24, 40  # of PCA: widest full decomposition; else directions iterated, how often


def pca(vectors: np.ndarray) -> Map:
    """Projection of `[n, D]` on the two directions of largest variance; immediate, and the same for all time.

    The sign of a direction is free; its largest loading is made positive. A direction without variance gives zeros.
    """
    _check(vectors)
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    scatter = centred.T @ centred  # [D, D]
    variance, top = _largest(scatter)
    top = top * np.where(np.take_along_axis(top, np.abs(top).argmax(0)[None], 0) < 0, -1, 1)
    xy = np.zeros((len(vectors), 2), np.float32)
    xy[:, : top.shape[1]] = centred @ top
    total = float(np.trace(scatter))
    kept = float(variance.clip(0).sum()) / total if total > 0 else 0.0
    return Map(xy, trustworthiness(vectors, xy, metric="euclidean"), {"method": "pca", "variance": kept})


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
    The rank of j counts the points that are strictly nearer, so ties help (scikit-learn breaks them in any order). With
    more than `anchors` points, it is measured at a draw of them, against all points.

    Args:
        vectors: `[n, D]`. xy: `[n, 2]`.

    Returns:
        A value in [0, 1], or None where n is too small for any k (n < 4).
    """
    _check(vectors)
    n = len(vectors)
    if xy.shape != (n, 2):
        raise ValueError(f"need positions [{n}, 2], got {[*xy.shape]}")
    k = min(k, (n - 1) // 2)
    if n < 4 or k < 1:
        return None
    x = unit(vectors) if metric == "cosine" else np.asarray(vectors, np.float32)
    x, y = x - x.mean(0), np.asarray(xy - xy.mean(0), np.float32)
    at = sample(n, anchors, seed=seed)
    excess = sum(_excess(x, y, at[start : start + CHUNK], k) for start in range(0, len(at), CHUNK))
    return float(1 - excess * 2 / (len(at) * k * (2 * n - 3 * k - 1)))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows `[n, D]` float32 at unit length; zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def neighbours(
    vectors: np.ndarray, queries: np.ndarray, k: int, *, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest rows of `[n, D]` to queries `[q, D]`, nearest first.

    Returns:
        Distances `[q, k']` float32 (1 − cosine, or Euclidean) and rows `[q, k']` int64, k' = min(k, n).
    """
    import faiss

    k = min(k, len(vectors))
    if metric == "cosine":
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(unit(vectors))
        found, rows = index.search(unit(queries), k)
        return np.maximum(0, 1 - found), rows
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, np.float32))
    found, rows = index.search(np.ascontiguousarray(queries, np.float32), k)
    return np.sqrt(np.maximum(0, found)), rows


def placed(xy: np.ndarray, rows: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Where a newcomer belongs on a map: the mean of its neighbours' places `[2]`, the nearest counting most.

    Weights are e^{−(d − d_min)/σ}, σ the mean of d − d_min: UMAP's own, with a simpler σ.

    Args:
        rows, distances: `[k]` of its neighbours in the embedding.
    """
    if not len(rows):
        raise ValueError("a newcomer without neighbours has no place")
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
    equal = 1e-6 * far.max(1)  # rounding is no difference
    far[mine, rows] = np.inf
    flat = (y[rows, 0, None] - y[None, :, 0]) ** 2 + (y[rows, 1, None] - y[None, :, 1]) ** 2
    flat[mine, rows] = np.inf
    near = np.argpartition(flat, k - 1, axis=1)[:, :k]  # [c, k]
    excess = 0
    for theirs in np.take_along_axis(far, near, 1).T:  # [c], distances of one neighbour each
        rank = 1 + (far < (theirs - equal)[:, None]).sum(1)
        excess += int(np.maximum(0, rank - k).sum())
    return excess


def _largest(scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two largest eigenvalues `[2]` and their vectors `[D, 2]` of a symmetric `[D, D]`, or fewer if D = 1.

    Large ones by iterating a block (a full decomposition of 1,280 × 1,280 takes seconds).
    """
    d = len(scatter)
    if d <= EXACT:
        values, vectors = np.linalg.eigh(scatter)  # ascending
        return values[::-1][:2], vectors[:, ::-1][:, :2]
    block = np.random.default_rng(0).normal(size=(d, BLOCK))
    for _ in range(ITERATIONS):
        block = scatter @ block
        lengths, turn = np.linalg.eigh(block.T @ block)  # makes it orthonormal, faster than QR
        some = lengths > lengths[-1] * 1e-12
        if not some.any():  # no variance at all
            return np.zeros(2), np.zeros((d, 2))
        block = block @ turn[:, some] / np.sqrt(lengths[some])
    block, _ = np.linalg.qr(block)
    values, vectors = np.linalg.eigh(block.T @ scatter @ block)
    return values[::-1][:2], block @ vectors[:, ::-1][:, :2]


def _check(vectors: np.ndarray) -> None:
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise InputError(f"a map needs finite vectors [n, D], got {[*vectors.shape]}; measure the run again")
