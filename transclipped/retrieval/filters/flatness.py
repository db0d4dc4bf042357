"""Flatness: channels that respond alike at all places show background, and are weakened.

The flatness of a channel is its geometric mean over its arithmetic mean, as for the spectrum of a sound: 1 if constant,
near 0 for a single peak. A channel weighs 1 − flatness. Before the geometric mean, 1e-6 of the arithmetic mean is
added.

Source: Li, Gu et al. 2020, ICME, "multi-scale flatness", known to us by its abstract; here at the one scale of the map.
"""

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage

EPSILON = 1e-6  # of a channel's mean


@stage(
    "flatness",
    kind="filter",
    idea="Weaken channels that respond alike everywhere.",
    formula="F_c · (1 − geometric mean F_c / arithmetic mean F_c)",
    source="Li et al. 2020, ICME",
)
def flatness(maps: np.ndarray) -> np.ndarray:
    """Weighted maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    return (x * weights(x)[:, None, None]).transpose(0, 3, 1, 2)


def weights(x: np.ndarray) -> np.ndarray:
    """Weights `[B, C]` in [0, 1] of non-negative maps `[B, h, w, C]`; 0 for a channel of zeros.

    Raises:
        InputError: maps have one place, where every channel is flat.
    """
    if x.shape[1] * x.shape[2] == 1:
        raise InputError("flatness compares places, but these maps have one; choose an earlier layer or larger images")
    mean = x.mean((1, 2), keepdims=True)
    logs = np.log(x / np.where(mean > 0, mean, 1) + np.float32(EPSILON)).mean((1, 2))  # of geometric over arithmetic
    return np.where(mean[:, 0, 0] > 0, (1 - np.exp(logs)).clip(0, 1), np.float32(0))
