"""CroW: places are weighted by their total response, channels by how rarely they respond.

With S = Σ_c F_c, a place weighs (S/‖S‖_a)^(1/b). With ν_c the share of places where channel c is positive (plus 1e-6),
a channel weighs ln(Σ_c ν_c / ν_c), like the inverse document frequency of words.

Unlike in PyRetri, a map of zeros gives zeros rather than NaN.

Source: Kalantidis, Mellina & Osindero 2016, arXiv 1512.04065.
"""

import numpy as np

from transclipped.retrieval.checks import flat_places
from transclipped.retrieval.stages import stage

EPSILON = 1e-6  # added to the share of positive places


@stage(
    "crow",
    kind="aggregation",
    idea="Sum strong places and rare channels with more weight.",
    formula="v_c = ln(Σ_k ν_k / ν_c) · Σ_xy (S/‖S‖_a)^(1/b) F_c, S = Σ_c F_c, ν_c = share of places with F_c > 0",
    source="arXiv 1512.04065",
    bounds={"a": (0.5, 10), "b": (0.5, 10)},
)
def crow(maps: np.ndarray, *, a: float = 2.0, b: float = 2.0) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    x = flat_places(maps)  # [B, P, C]
    weight = share(x.sum(2), a) ** np.float32(1 / b)  # [B, P]
    active = (x > 0).mean(1, dtype=np.float32) + np.float32(EPSILON)  # [B, C]
    rarity = np.log(active.sum(1, keepdims=True) / active)
    return (weight[:, None] @ x)[:, 0] * rarity


def share(x: np.ndarray, a: float) -> np.ndarray:
    """x/‖x‖_a along the last axis of non-negative `[…, P]`; zeros stay."""
    largest = x.max(-1, keepdims=True)
    x = x / np.where(largest > 0, largest, 1)  # no power overflows
    norm = (x**a).sum(-1, keepdims=True) ** (1 / a)
    return x / np.where(norm > 0, norm, 1)
