"""SPoC: sum pooling in which places near the centre count more.

The weight is a Gaussian around the centre of the map whose σ is a third of the distance from the centre to the nearer
border: σ = min(h, w)/6.

Source: Babenko & Lempitsky 2015, arXiv 1510.07493.
"""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage


@stage(
    "spoc",
    kind="aggregation",
    idea="Sum each channel, the centre counting more than the border.",
    formula="v_c = Σ_xy G(x, y) F_c(x, y), G a Gaussian around the centre, σ = min(h, w)/6",
    source="arXiv 1510.07493",
)
def spoc(maps: np.ndarray) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    return np.einsum("hw,bhwc->bc", _gaussian(*x.shape[1:3]), x, optimize=True)


def _gaussian(h: int, w: int) -> np.ndarray:
    """Weights `[h, w]` float32, 1 at the centre."""
    sigma = min(h, w) / 6
    y, x = np.arange(h) - (h - 1) / 2, np.arange(w) - (w - 1) / 2
    return np.exp(-(y[:, None] ** 2 + x**2) / (2 * sigma**2)).astype(np.float32)
