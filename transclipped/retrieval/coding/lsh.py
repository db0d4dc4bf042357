"""LSH: bits are the sides of random hyperplanes through the origin.

Two vectors at an angle θ fall on the same side of a random hyperplane with probability 1 − θ/π, so agreement of bits
estimates their angle. Nothing is learned. As in faiss, the directions are orthogonal as far as the width allows.

Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms".
"""

import numpy as np

from transclipped.retrieval.checks import rows, same_width
from transclipped.retrieval.coding.projected import ProjectedIndex, whole_bytes
from transclipped.retrieval.coding.signs import sign_index
from transclipped.retrieval.stages import stage

SEED = 0


@stage(
    "lsh",
    kind="coding",
    idea="Store on which side of random hyperplanes a vector lies.",
    formula="bit b = [⟨x, r_b⟩ ≥ 0], P(equal bits) = 1 − θ/π",
    source="10.1145/509907.509965",
    bounds={"bits": (8, 1024)},
)
def lsh(vectors: np.ndarray, *, bits: int = 32) -> ProjectedIndex:
    """Index of vectors `[N, D]`, bits / 8 bytes per item."""
    import faiss

    whole_bytes("lsh", bits)
    width = rows(vectors).shape[1]
    matrix = faiss.RandomRotationMatrix(width, bits)
    matrix.init(SEED)
    directions = faiss.vector_to_array(matrix.A).reshape(bits, width).T

    def project(vectors: np.ndarray) -> np.ndarray:
        x = rows(vectors)
        same_width("lsh", width, x.shape[1])
        return x @ directions

    return sign_index(vectors, project)
