"""PWA: channels that vary most from image to image act as part detectors, and each weights the places once.

Of each detector n the weight map is (F_n/‖F_n‖_a)^(1/b). The weighted sums of all channels, one for each detector, are
concatenated. Detectors are the channels whose mean has the greatest standard deviation over the training set.

As in PyRetri, 1e-5 is added to ‖F_n‖ and detectors come in order of increasing deviation.

Source: Xu, Shi, Qi, Wang & Xiao 2018, arXiv 1705.01247.
"""

from collections.abc import Iterable

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import flat_places, places, same_width
from transclipped.retrieval.stages import State, stage

EPSILON = 1e-5  # added to the norm of a detector
WIDEST = 2**15  # numbers of a vector


def fit(batches: Iterable[np.ndarray], *, parts: int = 25) -> State:
    """Detectors `channels` `[n]`, n = min(parts, C), from batches of maps; sums of them are added in float64."""
    n, total, squares = 0, 0.0, 0.0
    for maps in batches:
        means = places(maps).mean((1, 2), dtype=np.float64)  # [B, C]
        if n:
            same_width("pwa", len(total), means.shape[1])
        n, total, squares = n + len(means), total + means.sum(0), squares + (means**2).sum(0)
    if not n:
        raise InputError("pwa chooses its channels over training images, but there are none")
    variance = squares / n - (total / n) ** 2
    width = len(total)
    if min(parts, width) * width > WIDEST:
        raise InputError(
            f"pwa with {parts} parts of {width} channels gives {min(parts, width) * width:,} numbers, more than "
            f"{WIDEST:,}; choose at most {max(1, WIDEST // width)} parts or maps of fewer channels",
            setting="parts",
        )
    return {"channels": np.argsort(variance, kind="stable")[-parts:].astype(np.int64), "width": np.array(width)}


@stage(
    "pwa",
    kind="aggregation",
    idea="Let the channels that vary most weight the places, and concatenate a weighted sum for each.",
    formula="v = [Σ_xy (F_n/‖F_n‖_a)^(1/b) F for the channels n of greatest deviation]",
    source="arXiv 1705.01247",
    fit=fit,
    bounds={"parts": (1, 4096), "a": (0.5, 10), "b": (0.5, 10)},
)
def pwa(maps: np.ndarray, state: State, *, parts: int = 25, a: float = 2.0, b: float = 2.0) -> np.ndarray:
    """Vectors `[B, n · C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    x = flat_places(maps)  # [B, P, C]
    same_width("pwa", int(state["width"]), x.shape[-1])
    detectors = x[..., state["channels"]].transpose(0, 2, 1)  # [B, n, P]
    norm = (detectors**a).sum(2, keepdims=True) ** (1 / a)
    weight = (detectors / (norm + np.float32(EPSILON))) ** np.float32(1 / b)
    return (weight @ x).reshape(len(x), weight.shape[1] * x.shape[2])
