"""Experimental clipping rules and losses, registered by the study only.

| name               | clips, for anchor i                                                         | source        |
| ------------------ | --------------------------------------------------------------------------- | ------------- |
| `mixture`          | every s_ij above where two normals, fitted to the batch's pairs, cross      | mixture model |
| `otsu`             | every s_ij above Otsu's threshold of the batch's pairs                      | Otsu 1979     |
| `learned-quantile` | every s_ij > δ, one δ for all batches, learned to have a share q above it   | GloFND, below |
| loss `soft-T`      | nothing: negative j weighs 1 − sigmoid((s_ij − δ_i) / T) in the denominator | ours          |

References:
    Balmaseda et al. 2025, arXiv 2502.20612 (GloFND: a threshold for each image; here one for all).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from transclipped import clipping, losses
from transclipped.analysis.clipping.thresholds import mixture, otsu
from transclipped.clipping import Clipped, negatives, positives
from transclipped.config import ClippingConfig

LEARNED = "learned-quantile"
STEP = 0.05  # cosine; how far δ moves in a step of training if every negative is above it
WIDTHS = (0.05, 0.1)  # cosine, T of soft weights; similarities of negatives spread by about 0.2


def register_ideas() -> None:
    """Register the ideas as rules and losses; the state of one that learns is reset."""
    clipping.register("mixture")(batch_rule(mixture))
    clipping.register("otsu")(batch_rule(otsu))
    clipping.register(LEARNED)(LearnedQuantile())
    for width in WIDTHS:
        losses.register(soft_name(width))(partial(soft_nt_xent, width=width))


def soft_name(width: float) -> str:
    """Name of the loss with soft weights."""
    return f"soft-{width:g}"


def batch_rule(threshold: Callable[[np.ndarray], float]) -> clipping.Pick:
    """The rule that clips every pair above a threshold computed from the batch's similarities."""

    def pick(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
        level = threshold(similarity[candidates].numpy())
        return similarity > level, level

    return pick


class LearnedQuantile:
    """Every pair above one threshold δ that is learned over batches.

    δ minimises q·δ + E[max(0, s − δ)]: at the minimum, a share q of all similarities s is above it. After clipping,
    each batch takes one step down the gradient q − P(s > δ). δ starts at 1, where nothing is clipped, and falls by at
    most q · STEP per batch, which serves as a warm-up.
    """

    def __init__(self) -> None:
        self.level = 1.0

    def __call__(self, similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
        """Clip by the current threshold, then update it; q is `config.fraction`."""
        level = self.level
        above = similarity > level
        n = int(candidates.sum())
        if n:  # a single image has no negatives to learn from
            share = int((above & candidates).sum()) / n
            self.level = min(1.0, max(-1.0, level + STEP * (share - config.fraction)))
        return above, level


def soft_nt_xent(
    similarity: Tensor,
    clipped: Clipped,
    *,
    width: float,
    clipping: ClippingConfig,
    temperature: float,
    epoch: float = math.inf,
) -> Tensor:
    """Contrastive losses `[2B]` in nats; negatives lose weight smoothly around δ_i, the level of the clipping rule.

    ℓ_i = −log( e^{s_i⁺/τ} / ( e^{s_i⁺/τ} + Σ_j w_ij e^{s_ij/τ} ) ),  w_ij = 1 − sigmoid((s_ij − δ_i) / T).

    Weights carry no gradient. The weight is ½ at δ_i, and T → 0 gives the treatment `remove`. There is no warm-up, and
    the mask of `clipped` is used for logging only.

    Args:
        similarity: `[2B, 2B]` cosines, floating point.
        clipped: `level` is δ_i.
        width: T > 0, temperature: τ > 0, both on the cosine scale.
    """
    n = len(similarity)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    log_weight = F.logsigmoid((clipped.level - similarity.detach()) / width)  # log(1 − sigmoid(x)) = logsigmoid(−x)
    log_weight = log_weight.where(negatives(n, device=similarity.device), 0)  # the positive counts in full
    itself = torch.eye(n, dtype=torch.bool, device=similarity.device)
    logits = (similarity / temperature + log_weight).masked_fill(itself, -math.inf)
    return F.cross_entropy(logits, positives(n, device=similarity.device), reduction="none")
