"""Generalised mean: p = 1 is the mean, and with growing p it approaches the maximum.

Each channel is divided by its maximum m first, v = m (mean (F/m)^p)^(1/p), so that no power overflows.

Source: Radenović, Tolias & Chum 2017, arXiv 1711.02512, eq. 3.
"""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage


@stage(
    "gem",
    kind="aggregation",
    idea="A mean that leans towards the maximum, the more so the larger p is.",
    formula="v_c = (mean_xy F_c(x, y)^p)^(1/p)",
    source="arXiv 1711.02512",
    bounds={"p": (1, 100)},
)
def gem(maps: np.ndarray, *, p: float = 3.0) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0; a channel of zeros gives 0."""
    x = places(maps)
    largest = x.max((1, 2))  # [B, C]
    x /= np.where(largest > 0, largest, 1)[:, None, None]
    powers = x * x * x if p == 3 else x**p  # multiplying is several times faster
    return largest * powers.mean((1, 2)) ** np.float32(1 / p)
