"""How hard a contrastive loss pushes negatives away, and how much of that falls on false ones.

What anchor i does to negative j is the gradient τ · ∂ℓ_i/∂s_ij = p_ij, the softmax weight of j: a repulsion, largest
for the most similar negatives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig
from transclipped.losses import contrastive_loss


def repulsion(similarity: Tensor, clipped: Clipped, *, temperature: float) -> Tensor:
    """`[2B, 2B]` force τ · ∂ℓ_i/∂s_ij ≥ 0 with which anchor i pushes negative j away; 0 for what is no negative.

    Without clipping it is the softmax weight p_ij; a clipped pair feels none.
    """
    with torch.enable_grad():
        s = similarity.detach().clone().requires_grad_()
        loss = contrastive_loss(s, clipped, temperature=temperature).sum()
    (gradient,) = torch.autograd.grad(loss, s)
    return temperature * gradient.masked_fill(~negatives(len(s), device=s.device), 0)


def false_negative_repulsion(
    similarity: Tensor, clipped: Clipped, same_class: Tensor, *, temperature: float
) -> tuple[float, float]:
    """Share of all repulsion that hits false negatives, before and after clipping: Σ_false p_ij / Σ_neg p_ij.

    Args:
        same_class: `[2B, 2B]` bool, True where two images share a label.

    Returns:
        Two numbers in [0, 1]; 0 where nothing is pushed away.
    """
    plain = clip(similarity, ClippingConfig(rule="none"))
    before, after = (repulsion(similarity, each, temperature=temperature) for each in (plain, clipped))
    return _share(before, same_class), _share(after, same_class)


def _share(weights: Tensor, where: Tensor) -> float:
    return ((weights * where).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)).item()
