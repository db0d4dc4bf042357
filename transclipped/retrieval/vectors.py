"""Rows of numbers: their directions, and exact nearest neighbours."""

import numpy as np


def unit(x: np.ndarray) -> np.ndarray:
    """Rows `[…, D]` at unit length, float32 or better; rows of zeros stay."""
    x = np.asarray(x)
    x = x.astype(np.result_type(x, np.float32), copy=False)  # squares of float16 overflow
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return x / np.where(length > 0, length, 1)


def neighbours(
    vectors: np.ndarray, queries: np.ndarray, k: int, *, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest rows of `[n, D]` to queries `[q, D]`, nearest first, k' = min(k, n), by cosine or euclidean metric.

    Returns distances `[q, k']` float32 (1 − cosine, or Euclidean) and rows `[q, k']` int64.
    """
    import faiss  # not at the top, since the first page needs no faiss

    k = min(k, len(vectors))
    if metric == "cosine":
        items, queries = (np.asarray(unit(x), np.float32) for x in (vectors, queries))
        similarity, rows = faiss.knn(queries, items, k, faiss.METRIC_INNER_PRODUCT)
        return np.maximum(0, 1 - similarity), rows
    items, queries = (np.ascontiguousarray(x, np.float32) for x in (vectors, queries))
    squares, rows = faiss.knn(queries, items, k, faiss.METRIC_L2)
    return np.sqrt(np.maximum(0, squares)), rows


def nearest_others(vectors: np.ndarray, k: int, *, metric: str = "cosine") -> tuple[np.ndarray, np.ndarray]:
    """The k < n nearest others of each row of `[n, D]`, as `neighbours`: distances and rows, `[n, k]` each."""
    distances, rows = neighbours(vectors, vectors, k + 1, metric=metric)
    others = rows != np.arange(len(rows))[:, None]
    others[others.all(1), -1] = False  # among many equal rows, a row may be missing itself
    return distances[others].reshape(-1, k), rows[others].reshape(-1, k)
