"""Signed powers: a < 1 weakens bursts, features that fire far more often than others.

Source: Perronnin, Sánchez & Mensink 2010, "Improving the Fisher kernel for large-scale image classification", eq. 6.
"""

import numpy as np

from transclipped.retrieval.checks import rows
from transclipped.retrieval.stages import stage


@stage(
    "power",
    kind="transform",
    idea="Shrink large values more than small ones, so that no single feature dominates.",
    formula="sign(x) |x|^a",
    source="10.1007/978-3-642-15561-1_11",
    bounds={"a": (0.05, 1)},
)
def power(vectors: np.ndarray, *, a: float = 0.5) -> np.ndarray:
    """Vectors `[N, D]` of the same signs; a = 1 changes nothing."""
    x = rows(vectors)
    return np.copysign(np.abs(x) ** np.float32(a), x)
