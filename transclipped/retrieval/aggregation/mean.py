"""Average pooling: the mean of each channel over all places."""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage


@stage(
    "mean",
    kind="aggregation",
    idea="Average each channel over all places.",
    formula="v_c = mean_xy F_c(x, y)",
    source="arXiv 1312.4400",
)
def mean(maps: np.ndarray) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    return places(maps).mean((1, 2))
