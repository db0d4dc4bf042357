"""MPFA: only the channels that respond most at prominent places, over a whole collection, are pooled.

A place is prominent if it is where some channel responds most ("max"), or if its total response is at least the median
over its map ("sum"); "both" takes either. With p_c the responses of channel c at prominent places, added up over the
training images, the share `keep` of largest p_c remains. A channel of zeros is strongest nowhere.

Source: Wang et al. 2019, "Mask-based prominent feature accumulation", ICIP; it is known to us by its abstract, so that
choosing channels by p_c is our reading. The masks are those of Hoang et al. 2017, arXiv 1707.00809.
"""

from collections.abc import Iterable

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import flat_places, places, same_width
from transclipped.retrieval.stages import State, stage

MASKS = ("max", "sum", "both")
FEWEST = 16  # places of a map; on fewer, half of them are prominent whatever they show


def fit(batches: Iterable[np.ndarray], *, keep: float = 0.5, mask: str = "both") -> State:
    """`channels` `[m]` to keep, ascending, with m = round(keep · C) >= 1; `sums` `[C]`, p_c per image."""
    n, sums = 0, np.zeros(1)
    for maps in batches:
        x = flat_places(maps)
        if n:
            same_width("mpfa", len(sums), x.shape[2])
        if x.shape[1] < FEWEST:
            raise InputError(
                f"mpfa needs maps of at least {FEWEST} places, but these have {x.shape[1]}; choose an earlier layer "
                "(stem16) or larger images"
            )
        n, sums = n + len(x), sums + np.einsum("bp,bpc->c", prominent(x, mask), x, dtype=np.float64, optimize=True)
    if not n:
        raise InputError("mpfa chooses its channels over training images, but there are none")
    m = max(1, round(keep * len(sums)))
    largest = np.argsort(-sums, kind="stable")[:m]
    return {"channels": np.sort(largest).astype(np.int64), "sums": (sums / n).astype(np.float32)}


@stage(
    "mpfa",
    kind="filter",
    idea="Keep the channels that respond most at prominent places of a whole collection.",
    formula="keep largest p_c = Σ_i Σ_{xy ∈ mask_i} F_{i,c}(x, y)",
    source="ICIP 2019, masks of arXiv 1707.00809",
    fit=fit,
    bounds={"keep": (0.01, 1), "mask": MASKS},
)
def mpfa(maps: np.ndarray, state: State, *, keep: float = 0.5, mask: str = "both") -> np.ndarray:
    """The chosen channels of maps `[B, C, h, w]`, `[B, m, h, w]`, negative values taken as 0."""
    x = places(maps)
    same_width("mpfa", len(state["sums"]), x.shape[3])
    return x[..., state["channels"]].transpose(0, 3, 1, 2)


def prominent(x: np.ndarray, mask: str) -> np.ndarray:
    """Prominent places `[B, P]` bool of non-negative maps `[B, P, C]`."""
    result = np.zeros(x.shape[:2], bool)
    if mask in ("max", "both"):
        image, channel = (x.max(1) > 0).nonzero()
        result[image, x.argmax(1)[image, channel]] = True  # the first of equally strong places
    if mask in ("sum", "both"):
        total = x.sum(2)
        result |= total >= np.median(total, axis=1, keepdims=True)
    return result
