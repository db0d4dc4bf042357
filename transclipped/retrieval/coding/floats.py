"""No code at all: vectors are searched as they are, the reference for every code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from transclipped.retrieval.checks import rows
from transclipped.retrieval.stages import stage

if TYPE_CHECKING:
    from transclipped.retrieval.index import FlatIndex


@stage(
    "float",
    kind="coding",
    idea="Store the vectors themselves and search them exactly.",
    formula="score = ⟨q, x⟩",
    source="arXiv 2401.08281",
)
def floats(vectors: np.ndarray) -> FlatIndex:
    """Index of vectors `[N, D]`, 4 D bytes per item."""
    from transclipped.retrieval.index import FlatIndex  # imports faiss

    return FlatIndex(rows(vectors), codebooks=1)
