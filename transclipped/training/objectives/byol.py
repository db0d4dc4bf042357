"""BYOL: predict how a slow copy of the head embeds the other view; no negatives.

    ℓ_i = 2 − 2 cos(q(z_i), z'_{i⁺}),   no gradient through z'

q is a small predictor that only training has, z' the embedding by the copy, θ' ← 0.99 θ' + 0.01 θ. Without a predictor,
one point for all images is optimal, and a linear head finds it: with θ' = θ and no predictor it collapses within two
epochs of CIFAR-10 (mean cosine of different images 1.00 for three seeds; 0.51, 0.64 and 0.53 with predictor and slow
copy). On frozen features the copy matters little, since only the head moves; with θ' = θ this is SimSiam.

References:
    Grill et al. 2020, arXiv 2006.07733, eq. 1 and 2; Chen & He 2021, arXiv 2011.10566 (SimSiam).
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from transclipped.config import BYOL
from transclipped.losses import OBJECTIVES, Memory
from transclipped.training.objectives.views import halves, other_views


def byol_losses(predictions: Tensor, targets: Tensor) -> Tensor:
    """Losses `[2B]` of predictions `[2B, D]` against the other views' targets `[2B, D]`, in [0, 4].

    Targets get no gradient. A row of zeros has cosine 0 with everything.

    Raises:
        ValueError: shapes differ, or there are no two views of each image.
    """
    if predictions.shape != targets.shape:
        raise ValueError(f"need predictions and targets [2B, D], got {[*predictions.shape]} and {[*targets.shape]}")
    _ = halves(predictions)
    return 2 - 2 * F.cosine_similarity(predictions.float(), other_views(targets.detach()).float(), dim=-1)


@OBJECTIVES.register(BYOL, negatives=False)
def byol(views: Tensor, memory: Memory, **settings: Any) -> Tensor:
    """`byol_losses` of the predicted views against the slow copy's."""
    return byol_losses(memory.predict(views), memory.targets)
