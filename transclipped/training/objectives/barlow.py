"""Barlow Twins: the numbers of two views agree, and different numbers are decorrelated; no negatives.

    C_kl = mean_b â_bk b̂_bl,   loss = Σ_k (1 − C_kk)² + λ Σ_{k≠l} C_kl²

â and b̂ are the two views, each number standardised over the batch. The loss is of the batch as a whole, so every
anchor has the same. Identical views with decorrelated numbers have loss 0. A number that is constant over the batch
counts as 0, so a collapsed head has loss D.

References:
    Zbontar et al. 2021, arXiv 2103.03230, eq. 1 and 2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from transclipped.losses import OBJECTIVES, Memory
from transclipped.training.objectives.views import halves

WEIGHT = 0.005  # λ of the paper
TINY = 1e-8  # variance, so that constants do not divide by 0


def barlow_twins(views: Tensor, *, weight: float = WEIGHT) -> Tensor:
    """Losses `[2B]` of views `[2B, D]`, all equal.

    Args:
        weight: λ >= 0, of the correlations of different numbers.

    Raises:
        ValueError: there are no two views of each image.
    """
    first, second = (_standardised(view) for view in halves(views))  # [B, D]
    correlation = first.T @ second / len(first)  # [D, D]
    agreement = torch.diagonal(correlation)
    redundancy = correlation.square().sum() - agreement.square().sum()
    return ((1 - agreement).square().sum() + weight * redundancy).expand(len(views))


def _standardised(view: Tensor) -> Tensor:
    """Mean 0 and variance 1 of every number over the batch; constants become 0."""
    centred = view - view.mean(0)
    return centred / (centred.square().mean(0) + TINY).sqrt()


@OBJECTIVES.register("barlow", negatives=False)
def barlow(views: Tensor, memory: Memory, **settings: Any) -> Tensor:
    """`barlow_twins` with the weight of the paper."""
    return barlow_twins(views)
