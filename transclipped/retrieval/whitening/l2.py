"""Unit length, so that an inner product is a cosine."""

import numpy as np

from transclipped.retrieval.checks import rows
from transclipped.retrieval.stages import stage
from transclipped.retrieval.vectors import unit


@stage(
    "l2",
    kind="transform",
    idea="Scale every vector to length 1, so that only its direction counts.",
    formula="x / ‖x‖",
    source="arXiv 1510.07493",
)
def l2(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[N, D]` at unit length; a vector of zeros stays."""
    x = rows(vectors)
    largest = np.abs(x).max(1, initial=0, keepdims=True)
    return unit(x / np.where(largest > 0, largest, 1))  # squares of large numbers would overflow
