"""ITQ: principal axes are rotated so that vectors lie close to the corners of a cube, and the corner is the code.

With V the vectors on their first principal axes, the rotation R and the corners B = sign(V R) are improved in turn, so
that ‖B − V R‖² decreases. faiss does it.

Source: Gong, Lazebnik, Gordo & Perronnin 2013, "Iterative quantization".
"""

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex, whole_bytes
from transclipped.retrieval.coding.signs import sign_index
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal


def fit(vectors: np.ndarray, *, bits: int = 32) -> State:
    """`mean` `[D]` and `matrix` `[D, bits]`, float32."""
    import faiss

    x = training_rows(vectors, "itq")
    whole_bytes("itq", bits)
    if bits > x.shape[1]:
        raise InputError(
            f"itq(bits={bits}) takes a bit from each principal axis, but vectors hold {x.shape[1]} numbers; choose at "
            f"most {x.shape[1] // 8 * 8} bits, or lsh",
            setting="bits",
        )
    axes = principal(x, bits)
    rotation = faiss.ITQMatrix(bits)
    rotation.train(axes(x).astype(np.float32))
    turn = faiss.vector_to_array(rotation.A).reshape(bits, bits).T
    return {"mean": axes.mean.astype(np.float32), "matrix": (axes.matrix @ turn).astype(np.float32)}


@stage(
    "itq",
    kind="coding",
    idea="Rotate principal axes so that the signs lose as little as possible, and store the signs.",
    formula="bits = [(x − μ) V R ≥ 0], V principal axes, R minimises ‖sign(y R) − y R‖² for y = (x − μ) V",
    source="10.1109/TPAMI.2012.193",
    fit=fit,
    bounds={"bits": (8, 1024)},
)
def itq(vectors: np.ndarray, state: State, *, bits: int = 32) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("itq", len(state["mean"]), x.shape[1])
        return (x - state["mean"]) @ state["matrix"]

    return sign_index(vectors, project)
