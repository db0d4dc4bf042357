"""The collapse alarm: a head that maps all images to nearly one point has learned nothing.

Such a head has a perfect loss in an objective without negatives, such as BYOL's without its predictor, so the loss does
not show it; the mean cosine of different rows does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # pages read the limit without loading torch
    from torch import Tensor

COLLAPSED = 0.99  # mean cosine of different rows


def mean_cosine(z: Tensor) -> float:
    """Mean cosine of different rows of `[n, D]`, 0 if there are fewer than two; a row of zeros has cosine 0.

    Σ_{i≠j} cos(z_i, z_j) = |Σ_i u_i|² − Σ_i |u_i|² for rows u_i of unit length.
    """
    n = len(z)
    if n < 2:
        return 0.0
    unit = z.float() / z.float().norm(dim=1, keepdim=True).clamp(min=1e-12)
    return ((unit.sum(0).square().sum() - unit.square().sum()) / (n * (n - 1))).item()


def has_collapsed(cosine: float | None) -> bool:
    """Whether a mean cosine is above the limit; False where it is unknown."""
    return cosine is not None and cosine > COLLAPSED
