"""Ideas about what should decide that the study tries, and only the study: rules and losses it registers by name.

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
from functools import partial

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
    """Make the ideas known to `ClippingConfig.rule` and `LossConfig.name`; one that learns begins anew."""
    clipping.register("mixture")(mixture_rule)
    clipping.register("otsu")(otsu_rule)
    clipping.register(LEARNED)(LearnedQuantile())
    for width in WIDTHS:
        losses.register(soft_name(width))(partial(soft_nt_xent, width=width))


def soft_name(width: float) -> str:
    """What the loss of soft weights is registered as."""
    return f"soft-{width:g}"


def mixture_rule(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    """Every pair above the point where two normal distributions fitted to the batch's similarities cross."""
    level = mixture(similarity[candidates].numpy())
    return similarity > level, level


def otsu_rule(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    """Every pair above Otsu's threshold of the batch's similarities."""
    level = otsu(similarity[candidates].numpy())
    return similarity > level, level


class LearnedQuantile:
    """Every pair above one threshold δ that is learned from batch to batch.

    δ minimises q·δ + E[max(0, s − δ)], whose minimum has the share q of all similarities s above it. Each batch takes
    one step down its gradient q − P(s > δ), after it was clipped. δ begins at 1, where nothing is clipped, and comes
    down by at most q · STEP a batch: a warm-up that needs no setting.
    """

    def __init__(self) -> None:
        self.level = 1.0

    def __call__(self, similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
        """Clip by the threshold so far, then learn from this batch; q is `config.fraction`."""
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
    """Contrastive loss whose negatives lose weight smoothly around δ_i, the level of the clipping rule.

    ℓ_i = −log( e^{s_i⁺/τ} / ( e^{s_i⁺/τ} + Σ_j w_ij e^{s_ij/τ} ) ),  w_ij = 1 − sigmoid((s_ij − δ_i) / T).

    Weights carry no gradient, as clipping carries none. T → 0 takes out what lies above δ_i, as the treatment `remove`
    does; the weight is ½ at δ_i. There is no warm-up, and what `clipped` marks counts only for what is observed.

    Args:
        similarity: `[2B, 2B]` cosines, floating point.
        clipped: `level` is δ_i.
        width: T > 0, on the cosine scale.
        temperature: τ > 0, on the cosine scale.

    Returns:
        Losses `[2B]` in nats.
    """
    n = len(similarity)
    similarity = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    log_weight = F.logsigmoid((clipped.level - similarity.detach()) / width)  # log(1 − sigmoid(x)) = logsigmoid(−x)
    log_weight = log_weight.where(negatives(n, device=similarity.device), 0)  # the positive counts in full
    itself = torch.eye(n, dtype=torch.bool, device=similarity.device)
    logits = (similarity / temperature + log_weight).masked_fill(itself, -math.inf)
    return F.cross_entropy(logits, positives(n, device=similarity.device), reduction="none")
