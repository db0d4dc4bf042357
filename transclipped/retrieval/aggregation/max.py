"""Maximum pooling (MAC): the strongest response of each channel."""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage


@stage(
    "max",
    kind="aggregation",
    idea="Take the strongest response of each channel, wherever it is.",
    formula="v_c = max_xy F_c(x, y)",
    source="arXiv 1511.05879",
)
def maximum(maps: np.ndarray) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    return places(maps).max((1, 2))
