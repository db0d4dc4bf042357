"""How hard a contrastive loss pushes negatives away, and how much of that falls on false ones.

Anchor i pushes negative j with the force τ · ∂ℓ_i/∂s_ij = p_ij, the softmax weight of j, largest for the most similar
negatives.
"""

import torch
from torch import Tensor

from transclipped.clipping import Clipped, clip, negatives
from transclipped.config import ClippingConfig
from transclipped.losses import contrastive_loss


def repulsion(similarity: Tensor, clipped: Clipped, *, temperature: float) -> Tensor:
    """`[2B, 2B]` force τ · ∂ℓ_i/∂s_ij ≥ 0 with which anchor i pushes negative j away; 0 for other pairs.

    Without clipping it is the softmax weight p_ij; it is 0 for clipped pairs.
    """
    with torch.enable_grad():
        s = similarity.detach().clone().requires_grad_()
        loss = contrastive_loss(s, clipped, temperature=temperature).sum()
    (gradient,) = torch.autograd.grad(loss, s)
    return temperature * gradient.masked_fill(~negatives(len(s), device=s.device), 0)


def false_negative_repulsion(
    similarity: Tensor, clipped: Clipped, same_class: Tensor, *, temperature: float
) -> tuple[float, float]:
    """Share of all repulsion on false negatives, before and after clipping: Σ_false p_ij / Σ_neg p_ij, in [0, 1].

    It is 0 without any repulsion. `same_class` `[2B, 2B]` bool marks the pairs of images that share a label.
    """
    plain = clip(similarity, ClippingConfig(rule="none"))
    before, after = (repulsion(similarity, each, temperature=temperature) for each in (plain, clipped))
    return _share(before, same_class), _share(after, same_class)


def _share(weights: Tensor, where: Tensor) -> float:
    return ((weights * where).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)).item()
