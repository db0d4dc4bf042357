"""Losses: contrastive with clipped negatives, debiased, and the two regularisers.

Rows i and i + B of a batch are two views of one picture, each the other's positive; s_ij is cosine similarity:

    ℓ_i = −log( e^{s_i⁺/τ} / ( e^{s_i⁺/τ} + Σ_{j ∈ N_i} e^{s_ij/τ} ) )

Clipping decides which of the 2B − 2 negatives stay in N_i. Everything is computed in float32 or better, with
autocast off: bfloat16 would err by 0.004 / τ in the exponent.

References:
    Chen et al. 2020, arXiv 2002.05709, eq. 1 (without clipping); Chuang et al. 2020, arXiv 2007.00224, eq. 8
    (debiased); Wang et al. 2022, arXiv 2109.05205 (regularisers of the quantizer).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transclipped.clipping import Clipped, clip, negatives, strength
from transclipped.config import ClippingConfig, LossConfig


@dataclass(frozen=True)
class LossParts:
    """The training loss and what it is made of.

    Attributes:
        total: contrastive + λ · entropy + γ · diversity.
        contrastive: mean over anchors, nats.
        entropy: mean entropy of the soft codes, nats.
        diversity: mean cosine of different codewords of a codebook.
        per_anchor: `[2B]` contrastive losses, nats.
        clipped: which pairs were clipped.
    """

    total: Tensor
    contrastive: Tensor
    entropy: Tensor
    diversity: Tensor
    per_anchor: Tensor
    clipped: Clipped


def training_loss(
    z: Tensor,
    assignment: Tensor,
    codewords: Tensor,
    *,
    detect: Tensor,
    clipping: ClippingConfig,
    loss: LossConfig,
    epoch: float = math.inf,
) -> LossParts:
    """Clipped contrastive loss of soft codes, with both regularisers.

    Args:
        z: `[2B, D]` soft codes of two views.
        assignment: `[2B, M, K]` soft assignments.
        codewords: `[M, K, d]`, unit length.
        detect: `[2B, E]` embeddings whose similarities clipping looks at.
        epoch: fractional epochs done, for the warm-up of clipping.

    Raises:
        ValueError: shapes disagree.
        InputError: no clipping rule has this name.
    """
    if len(z) != len(assignment) or len(z) != len(detect):
        raise ValueError(f"need 2B rows each, got {len(z)}, {len(assignment)} and {len(detect)}")
    with torch.autocast(z.device.type, enabled=False):
        similarity = cosines(z)
        seen = similarity.detach() if detect is z else cosines(detect.detach())
        clipped = clip(seen, clipping, epoch=epoch)
        if clipping.rule == "debiased":
            prior = clipping.class_prior * strength(clipping, epoch)
            per_anchor = debiased_nt_xent(similarity, prior=prior, temperature=loss.temperature)
        else:
            per_anchor = clipped_nt_xent(
                similarity, clipped, treatment=clipping.treatment, temperature=loss.temperature
            )
        contrastive = per_anchor.mean()
        entropy, diversity = assignment_entropy(assignment), codeword_similarity(codewords)
        total = contrastive + loss.entropy * entropy + loss.diversity * diversity
    return LossParts(total, contrastive, entropy, diversity, per_anchor, clipped)


def cosines(z: Tensor) -> Tensor:
    """Cosine similarities `[n, n]` in [−1, 1] of rows `[n, D]`, float32 or better."""
    z = F.normalize(z.to(torch.promote_types(z.dtype, torch.float32)), dim=-1)
    return (z @ z.T).clamp(-1, 1)


def clipped_nt_xent(similarity: Tensor, clipped: Clipped, *, treatment: str, temperature: float) -> Tensor:
    """Contrastive loss of each anchor, with its clipped pairs taken out or held.

    Args:
        similarity: `[2B, 2B]` cosines.
        clipped: mask of the pairs, and the level at which `clamp` holds them.
        treatment: "remove" takes a pair out of the denominator; "clamp" holds its similarity, without gradient.
        temperature: τ > 0, on the cosine scale.

    Returns:
        Losses `[2B]` in nats; 0 where every negative was removed.

    Raises:
        ValueError: shapes disagree, or a setting makes no sense.
    """
    n = len(similarity)
    if clipped.mask.shape != similarity.shape:
        raise ValueError(f"need two matrices [2B, 2B], got {[*similarity.shape]} and {[*clipped.mask.shape]}")
    if treatment not in ("remove", "clamp"):
        raise ValueError(f"treatment must be remove or clamp, got {treatment!r}")
    _check_temperature(temperature)
    candidates = negatives(n, device=similarity.device)
    positive = torch.arange(n, device=similarity.device).roll(n // 2)  # [2B], the other view
    mask = clipped.mask & candidates
    if treatment == "clamp":
        similarity = torch.where(mask, clipped.level.detach().to(similarity.dtype), similarity)
        left_out = ~candidates
    else:
        left_out = ~candidates | mask
    left_out = left_out.scatter(1, positive[:, None], False)  # the positive stays in its own denominator
    logits = (similarity / temperature).masked_fill(left_out, -torch.inf)
    return F.cross_entropy(logits, positive, reduction="none")


def debiased_nt_xent(similarity: Tensor, *, prior: float, temperature: float) -> Tensor:
    """Contrastive loss whose sum over negatives is corrected for a share ρ of false ones.

    The sum becomes n · max( (mean_j e^{s_ij/τ} − ρ e^{s_i⁺/τ}) / (1 − ρ), e^{−1/τ} ), in log space.

    Args:
        similarity: `[2B, 2B]` cosines.
        prior: ρ in [0, 1).
        temperature: τ > 0.

    Returns:
        Losses `[2B]` in nats.
    """
    if not 0 <= prior < 1:
        raise ValueError(f"prior must be at least 0 and less than 1, got {prior}")
    _check_temperature(temperature)
    n = len(similarity)
    candidates = negatives(n, device=similarity.device)
    if n == 2:  # one picture has no negatives
        return similarity.sum(1) * 0.0
    logits = similarity / temperature
    positive = logits[torch.arange(n, device=logits.device), torch.arange(n, device=logits.device).roll(n // 2)]
    mean = logits.masked_fill(~candidates, -torch.inf).logsumexp(1) - math.log(n - 2)  # log mean_j e^{s_ij/τ}
    floor = torch.full_like(mean, -1 / temperature)
    if prior > 0:
        share = math.log(prior) + positive - mean  # log of ρ e^{s⁺/τ} / mean
        above = share < 0
        # log(1 − e^x), kept away from x = 0 where its gradient would be infinite
        rest = torch.log1p(-share.clamp(max=-1e-6).exp())
        mean = torch.where(above, mean + rest - math.log1p(-prior), floor)
    total = math.log(n - 2) + torch.maximum(mean, floor)
    return torch.logaddexp(positive, total) - positive


def assignment_entropy(assignment: Tensor) -> Tensor:
    """Mean entropy in nats of soft assignments `[…, K]`; 0 when each is certain, log K when uniform."""
    return torch.special.entr(assignment.to(torch.promote_types(assignment.dtype, torch.float32))).sum(-1).mean()


def codeword_similarity(codewords: Tensor) -> Tensor:
    """Mean cosine of different codewords of a codebook, over codebooks `[M, K, d]`.

    Σ_{k≠l} ⟨c_k, c_l⟩ = |Σ_k c_k|² − K for unit codewords, so no K × K matrix is needed.
    """
    _, k, _ = codewords.shape
    unit = F.normalize(codewords.to(torch.promote_types(codewords.dtype, torch.float32)), dim=-1)
    return ((unit.sum(1).square().sum(-1) - k) / (k * (k - 1))).mean()


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")
