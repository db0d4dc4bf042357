"""Product quantization: each of M parts of a vector is replaced by the nearest of 256 codewords, one byte a part.

Codewords are k-means centres of the training vectors, by Euclidean distance. The score of a query is its inner product
with the decoded item, ⟨q, (c_{1,k_1} … c_{M,k_M})⟩, which is a sum of M look-ups. A width that M does not divide is
padded with zeros.

Source: Jégou, Douze & Schmid 2011, "Product quantization for nearest neighbor search".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex, whole_bytes
from transclipped.retrieval.stages import State, stage

CODEWORDS = 256
ROUNDS, SEED = 25, 0  # of k-means


def fit(vectors: np.ndarray, *, bits: int = 32) -> State:
    """`codebooks` `[M, K, d]` float32 with K = min(256, n), and the `width` D <= M · d."""
    x = training_rows(vectors, "pq")
    return {"codebooks": codebooks(padded(x, "pq", bits), bits // 8), "width": np.array(x.shape[1])}


@stage(
    "pq",
    kind="coding",
    idea="Cut vectors into parts and store, of each part, the number of the nearest of 256 codewords.",
    formula="score = Σ_m ⟨q_m, c_{m,k_m}⟩, k_m = argmin_k ‖x_m − c_mk‖",
    source="10.1109/TPAMI.2010.57",
    fit=fit,
    bounds={"bits": (8, 1024)},
)
def pq(vectors: np.ndarray, state: State, *, bits: int = 32) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("pq", int(state["width"]), x.shape[1])
        return padded(x, "pq", bits)

    return indexed(vectors, project, state["codebooks"])


def padded(x: np.ndarray, method: str, bits: int) -> np.ndarray:
    """Vectors `[N, D]` with zeros appended until M divides their width.

    Raises:
        InputError: there are fewer than M numbers, or bits fill no whole number of bytes.
    """
    m = whole_bytes(method, bits)
    if x.shape[1] < m:
        raise InputError(
            f"{method}(bits={bits}) cuts vectors into {m} parts, but they hold {x.shape[1]} numbers; "
            f"choose at most {8 * x.shape[1]} bits",
            setting="bits",
        )
    return np.pad(x, ((0, 0), (0, -x.shape[1] % m)))


def codebooks(x: np.ndarray, m: int) -> np.ndarray:
    """Centres `[M, K, d]` of the parts of vectors `[n, M · d]`, K = min(256, n)."""
    import faiss  # not at the top, since listing the methods needs no faiss

    parts = x.reshape(len(x), m, -1).transpose(1, 0, 2)
    k = min(CODEWORDS, len(x))
    result = np.empty((m, k, parts.shape[2]), np.float32)
    for part, centres in zip(parts, result, strict=True):
        kmeans = faiss.Kmeans(parts.shape[2], k, niter=ROUNDS, seed=SEED, min_points_per_centroid=1)
        kmeans.train(np.ascontiguousarray(part))
        centres[:] = kmeans.centroids
    return result


def encode(books: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Codes `[N, M]` uint8 of vectors `[N, M · d]`: the nearest codeword of each part."""
    import faiss

    parts = x.reshape(len(x), len(books), books.shape[2])
    codes = np.empty(parts.shape[:2], np.uint8)
    for m, book in enumerate(books):
        codes[:, m] = faiss.knn(np.ascontiguousarray(parts[:, m]), np.ascontiguousarray(book), 1)[1][:, 0]
    return codes


def indexed(vectors: np.ndarray, project: Callable[[np.ndarray], np.ndarray], books: np.ndarray) -> ProjectedIndex:
    """Index of vectors by the codes of their projections."""
    from transclipped.retrieval.index import PQIndex  # imports faiss

    return ProjectedIndex(PQIndex(books, encode(books, project(vectors))), project)
