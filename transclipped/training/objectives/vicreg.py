"""VICReg: views agree (invariance), numbers vary (variance) and do not repeat each other (covariance); no negatives.

    loss = 25 · mean_b |a_b − b_b|² / D + 25 · (v(a) + v(b)) / 2 + 1 · (c(a) + c(b))
    v(z) = mean_k max(0, 1 − √(Var z_k + ε)),   c(z) = Σ_{k≠l} Cov(z)_kl² / D

Invariance is a term of each image; the other two are of the batch, the same for every anchor. A collapsed head is
pushed apart by v. Weights and the halves of v are those of the paper's code.

References:
    Bardes et al. 2022, arXiv 2105.04906, eq. 1 to 6.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transclipped.losses import OBJECTIVES, Memory
from transclipped.training.objectives.views import halves

WEIGHTS = (25.0, 25.0, 1.0)  # of invariance, variance and covariance, as in the paper
TINY = 1e-4  # ε of the paper, a variance


def vicreg_losses(views: Tensor, *, weights: tuple[float, float, float] = WEIGHTS) -> Tensor:
    """Losses `[2B]` of views `[2B, D]`, the same for both views of an image.

    Args:
        weights: of invariance, variance and covariance.

    Raises:
        ValueError: there are no two views of each image.
    """
    first, second = halves(views)  # [B, D]
    invariance = (first - second).square().mean(1)  # [B]
    variance = (_lack_of_variance(first) + _lack_of_variance(second)) / 2
    covariance = _covariance(first) + _covariance(second)
    weight, spread, redundancy = weights
    return (weight * invariance + spread * variance + redundancy * covariance).repeat(2)


def _lack_of_variance(view: Tensor) -> Tensor:
    """v: how far standard deviations are below 1; of one image all are 0."""
    deviation = (_centred(view).square().sum(0) / max(1, len(view) - 1) + TINY).sqrt()
    return F.relu(1 - deviation).mean()


def _covariance(view: Tensor) -> Tensor:
    """c: sum of squared covariances of different numbers, by D."""
    centred = _centred(view)
    covariance = centred.T @ centred / max(1, len(view) - 1)  # [D, D]
    return (covariance.square().sum() - torch.diagonal(covariance).square().sum()) / view.shape[1]


def _centred(view: Tensor) -> Tensor:
    return view - view.mean(0)


@OBJECTIVES.register("vicreg", negatives=False)
def vicreg(views: Tensor, memory: Memory, **settings: Any) -> Tensor:
    """`vicreg_losses` of views scaled to length √D, where standard deviations of 1 are possible."""
    return vicreg_losses(F.normalize(views, dim=-1) * views.shape[-1] ** 0.5)
