"""Optimised product quantization: a rotation before PQ spreads the information evenly over the parts.

The rotation R and the codebooks are learned in turn, so that ‖x R − decoded‖² is least: given the codes, R = U Vᵀ of
the singular value decomposition Xᵀ Y = U S Vᵀ with decoded Y. faiss does it. Of wider vectors, the 256 directions that
preserve inner products best are rotated; at 1,280 numbers R would take minutes, and the rest is lost in the codes.

Source: Ge, He, Ke & Sun 2014, "Optimized product quantization".
"""

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.pq import CODEWORDS, codebooks, indexed, padded
from transclipped.retrieval.coding.projected import ProjectedIndex
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal

WIDEST = 256  # numbers of a vector that are rotated


def fit(vectors: np.ndarray, *, bits: int = 32) -> State:
    """`rotation` `[D, M · d]` and `codebooks` `[M, K, d]`, float32, with M · d >= min(D, 256)."""
    x = training_rows(vectors, "opq")
    width = x.shape[1]
    axes = np.eye(width, dtype=np.float32)
    if width > WIDEST:
        axes = principal(x, WIDEST, centre=False).matrix.astype(np.float32)
    axes = padded(axes, "opq", bits)
    turned = axes @ rotation(x @ axes, bits // 8)
    return {"rotation": turned, "codebooks": codebooks(x @ turned, bits // 8)}


@stage(
    "opq",
    kind="coding",
    idea="Rotate vectors before PQ so that every part carries as much information.",
    formula="score = Σ_m ⟨(q R)_m, c_{m,k_m}⟩, R and c minimise ‖x R − decoded‖²",
    source="10.1109/TPAMI.2013.240",
    fit=fit,
    bounds={"bits": (8, 1024)},
)
def opq(vectors: np.ndarray, state: State, *, bits: int = 32) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("opq", len(state["rotation"]), x.shape[1])
        return x @ state["rotation"]

    return indexed(vectors, project, state["codebooks"])


def rotation(x: np.ndarray, m: int) -> np.ndarray:
    """Orthogonal `[D, D]` float32 for M parts; the identity where every training vector has a codeword of its own."""
    import faiss  # not at the top, since listing the methods needs no faiss

    if len(x) <= CODEWORDS:
        return np.eye(x.shape[1], dtype=np.float32)
    if len(x) < x.shape[1]:
        x = np.resize(x, (x.shape[1], x.shape[1]))  # with fewer rows than columns, faiss writes beyond its memory
    matrix, quantizer = faiss.OPQMatrix(x.shape[1], m), faiss.ProductQuantizer(x.shape[1], m, 8)
    quantizer.cp.min_points_per_centroid = 1  # else faiss warns hundreds of times
    matrix.pq = quantizer
    matrix.train(x)
    return np.ascontiguousarray(faiss.vector_to_array(matrix.A).reshape(x.shape[1], -1).T)
