"""Losses: contrastive with clipped negatives, debiased, and two regularisers.

Rows i and i + B of a batch are two views of one image, each the other's positive; s_ij is cosine similarity:

    ℓ_i = −log( e^{s_i⁺/τ} / ( e^{s_i⁺/τ} + Σ_{j ∈ N_i} e^{s_ij/τ} ) )

N_i holds the n = 2B − 2 negatives without the clipped ones. Losses are computed in float32 or better, with autocast
off: bfloat16 would err by 0.004 / τ in the exponent.

References:
    Chen et al. 2020, arXiv 2002.05709, eq. 1 (without clipping); Chuang et al. 2020, arXiv 2007.00224, eq. 8
    (debiased); Wang et al. 2022, arXiv 2109.05205 (regularisers of the quantizer).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transclipped.clipping import RULES, Clipped, amount_of, clip, described, negatives, positives
from transclipped.config import ClippingConfig, LossConfig
from transclipped.errors import InputError
from transclipped.registry import Registry

Loss = Callable[..., Tensor]  # as `contrastive_loss`, with the additional keywords `clipping` and `epoch`
LOSSES: Registry[Loss] = Registry("loss.name")
register = LOSSES.register


@dataclass(frozen=True)
class Memory:
    """What an objective has besides the views of the batch; none of it gets a gradient, but for `predict`.

    Attributes:
        queue: `[Q, D]` embeddings of earlier batches; seen: `[Q, E]`, their embeddings for clipping, None for `queue`.
        rows: `[Q]` int64, the image of each; −1 for an empty place.
        candidates: `[2B, Q]` bool, True where an entry is a negative of the anchor, so not its own image.
        targets: `[2B, D]`, the views as a slow copy of the head embeds them.
        predict: maps `[2B, D]` to predictions of `targets`.
    """

    queue: Tensor | None = None
    seen: Tensor | None = None
    rows: Tensor | None = None
    candidates: Tensor | None = None
    targets: Tensor | None = None
    predict: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True)
class Objective:
    """What a head learns from.

    Attributes:
        losses: `losses(views [2B, D], memory, *, similarity, clipped, clipping, loss, epoch)` returns the loss of each
            anchor, `[2B]`. With negatives, `similarity` holds the cosines `[2B, 2B + Q]` of views with views and queue,
            and `clipped` the pairs to leave out; without, they are None and empty.
        negatives: whether other images are pushed away, so that there is something to clip.
    """

    losses: Callable[..., Tensor]
    negatives: bool = True


OBJECTIVES: Registry[Objective] = Registry("loss.objective", Objective)  # the others: `training.objectives`
NOTHING = Memory()


@dataclass(frozen=True)
class LossParts:
    """The training loss and its terms.

    Attributes:
        total: contrastive + λ · entropy + γ · diversity.
        contrastive: mean of the objective over anchors; nats if it is contrastive.
        entropy: mean entropy of the soft codes, nats; 0 if its weight is 0 and `log_codes` is False.
        diversity: mean cosine of different codewords of a codebook.
        per_anchor: `[2B]`, the objective's loss of each anchor.
        clipped: the pairs that the rule clipped.
    """

    total: Tensor
    contrastive: Tensor
    entropy: Tensor
    diversity: Tensor
    per_anchor: Tensor
    clipped: Clipped


class ClippedNTXentLoss(nn.Module):
    """Contrastive loss of two views of a batch, without the negatives that a clipping rule treats as false.

    Embeddings are normalised here. Cosines are computed in float32 or better with autocast off. Without clipping
    (`rule="none"`) this is NT-Xent.

    Args:
        rule: "none", "threshold", "rank", "rank+threshold", "adaptive", "debiased", or the name of a plug-in's rule.
        threshold: δ in [-1, 1], of the rules "threshold" and "rank+threshold".
        fraction: q in [0, 1), of "rank" and "rank+threshold".
        sigma: c >= 0, of "adaptive".
        prior: ρ in [0, 1), of "debiased".
        treatment: "remove" takes a clipped pair out of the denominator; "clamp" makes its similarity a constant.
        temperature: τ > 0, on the cosine scale.

    Attributes:
        clipped: `[2B, 2B]` bool, the clipped pairs of the last batch, z0 before z1; None before the first.

    Raises:
        InputError: the rule is unknown, or a setting is out of range.

    References:
        Chen et al. 2020, arXiv 2002.05709, eq. 1 (NT-Xent); each rule names its source.

    Examples:
        Two views of three images; the first two images look the same.

        >>> import torch
        >>> from transclipped.losses import ClippedNTXentLoss
        >>> views = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> criterion = ClippedNTXentLoss(rule="threshold", threshold=0.9, temperature=0.5)
        >>> criterion(views, views)
        tensor(0.3039)
        >>> criterion.clipped.sum(1)
        tensor([2, 2, 0, 2, 2, 0])
        >>> ClippedNTXentLoss(rule="none", temperature=0.5)(views, views)
        tensor(0.9342)
    """

    def __init__(
        self,
        *,
        rule: str = "adaptive",
        threshold: float = ClippingConfig.threshold,
        fraction: float = ClippingConfig.fraction,
        sigma: float = ClippingConfig.sigma,
        prior: float = ClippingConfig.class_prior,
        treatment: str = "remove",
        temperature: float = 0.2,
    ) -> None:
        super().__init__()
        self.config = ClippingConfig(
            rule=rule, threshold=threshold, fraction=fraction, sigma=sigma, class_prior=prior, treatment=treatment
        )
        _ = RULES[rule]  # an InputError if it is unknown
        self.temperature = LossConfig(temperature=temperature).temperature
        self.clipped: Tensor | None = None

    def forward(self, z0: Tensor, z1: Tensor) -> Tensor:
        """Mean loss over the 2B anchors, a scalar in nats.

        Args:
            z0, z1: `[B, D]` floating point, B >= 2; row i of each is a view of image i.

        Raises:
            InputError: shapes or devices differ, B is less than 2, or a number is not finite.
        """
        _check_views(z0, z1)
        similarity = cosines(torch.cat([z0, z1]))  # [2B, 2B]
        clipped = clip(similarity, self.config)
        self.clipped = clipped.mask
        return contrastive_loss(similarity, clipped, temperature=self.temperature).mean()

    def extra_repr(self) -> str:
        return f"{described(self.config.rule, amount_of(self.config))}, temperature = {self.temperature:g}"


def training_loss(
    z: Tensor,
    assignment: Tensor,
    codewords: Tensor,
    *,
    detect: Tensor | None = None,
    clipping: ClippingConfig,
    loss: LossConfig,
    epoch: float = math.inf,
    log_codes: bool = True,
    memory: Memory = NOTHING,
) -> LossParts:
    """Loss of soft codes by the configured objective, with both regularisers.

    Args:
        z: `[2B, D]` soft codes; rows i and i + B are two views of one image.
        assignment: `[2B, M, K]` soft assignments.
        codewords: `[M, K, d]`, unit length.
        detect: `[2B, E]` embeddings whose similarities decide what is clipped, None for `z`; they get no gradient.
        epoch: fractional epochs done, for the warm-up of clipping.
        log_codes: compute the entropy even if its weight is 0, which takes a tenth of a head's step.
        memory: of an objective that needs one.

    Raises:
        ValueError: shapes disagree.
        InputError: the clipping rule, the loss or the objective is unknown.
    """
    detector = z if detect is None else detect
    if assignment.ndim != 3 or codewords.ndim != 3 or not len(z) == len(assignment) == len(detector):
        shapes = ", ".join(str([*t.shape]) for t in (z, assignment, codewords, detector))
        raise ValueError(f"need [2B, D], [2B, M, K], [M, K, d] and [2B, E], got {shapes}")
    with torch.autocast(z.device.type, enabled=False):
        objective = OBJECTIVES[loss.objective]
        similarity, clipped = _compared(z, detect, memory, clipping, epoch) if objective.negatives else (None, empty(z))
        settings = {"clipping": clipping, "loss": loss, "epoch": epoch}
        per_anchor = objective.losses(z, memory, similarity=similarity, clipped=clipped, **settings)
        return regularised(per_anchor, clipped, assignment, codewords, loss=loss, log_codes=log_codes)


def _compared(
    z: Tensor, detect: Tensor | None, memory: Memory, clipping: ClippingConfig, epoch: float
) -> tuple[Tensor, Clipped]:
    """Cosines `[2B, 2B + Q]` of views with views and queue, and the clipped pairs."""
    similarity, candidates = cosines(z, memory.queue), None
    if memory.candidates is not None:
        candidates = torch.cat([negatives(len(z), device=z.device), memory.candidates], 1)
    seen = memory.queue if memory.seen is None else memory.seen
    compared = similarity.detach() if detect is None else cosines(detect.detach(), seen)
    return similarity, clip(compared, clipping, epoch=epoch, candidates=candidates)


def empty(z: Tensor) -> Clipped:
    """No clipped pair of the rows `[n, D]`."""
    n = len(z)
    return Clipped(torch.zeros(n, n, dtype=torch.bool, device=z.device), torch.ones(n, 1, device=z.device))


def regularised(
    per_anchor: Tensor,
    clipped: Clipped,
    assignment: Tensor,
    codewords: Tensor,
    *,
    loss: LossConfig,
    log_codes: bool = True,
) -> LossParts:
    """The losses `[2B]` of anchors with both regularisers; arguments as `training_loss`."""
    contrastive = per_anchor.mean()
    soft = assignment if loss.entropy else assignment.detach()  # saves a backward pass
    entropy = assignment_entropy(soft) if log_codes or loss.entropy else contrastive.new_zeros(())
    diversity = codeword_similarity(codewords)
    total = contrastive + loss.entropy * entropy + loss.diversity * diversity
    return LossParts(total, contrastive, entropy, diversity, per_anchor, clipped)


@OBJECTIVES.register("simclr")
def simclr(
    views: Tensor,
    memory: Memory,
    *,
    similarity: Tensor,
    clipped: Clipped,
    clipping: ClippingConfig,
    loss: LossConfig,
    epoch: float,
) -> Tensor:
    """The contrastive loss `loss.name` of the batch, as in SimCLR: its cosines are all that it needs."""
    contrast = LOSSES[loss.name]
    return contrast(similarity, clipped, clipping=clipping, temperature=loss.temperature, epoch=epoch)


@register("nt-xent")
def _nt_xent(similarity: Tensor, clipped: Clipped, *, temperature: float, **_: Any) -> Tensor:
    return contrastive_loss(similarity, clipped, temperature=temperature)


def contrastive_loss(similarity: Tensor, clipped: Clipped, *, temperature: float) -> Tensor:
    """Losses `[2B]` in nats of cosines `[2B, 2B]`: `debiased_nt_xent` if `clipped` has a prior, else clipped."""
    if clipped.prior is not None:
        return debiased_nt_xent(similarity, prior=clipped.prior, temperature=temperature)
    return clipped_nt_xent(similarity, clipped, temperature=temperature)


def clipped_nt_xent(similarity: Tensor, clipped: Clipped, *, temperature: float) -> Tensor:
    """Contrastive losses `[2B]` in nats, with clipped pairs removed or clamped; 0 if every negative is removed.

    Args:
        similarity: `[2B, 2B]` cosines, floating point.
        temperature: τ > 0, on the cosine scale.

    Raises:
        ValueError: shapes disagree, or a setting is invalid.
    """
    logits = attention_logits(similarity, clipped, temperature=temperature)
    return F.cross_entropy(logits, positives(len(logits), device=logits.device), reduction="none")


def attention_logits(similarity: Tensor, clipped: Clipped, *, temperature: float) -> Tensor:
    """`[2B, 2B]` logits s_ij / τ, −∞ for the anchor itself and removed pairs; their softmax is the weights p_ij.

    Arguments and errors as `clipped_nt_xent`.
    """
    n = len(similarity)
    if similarity.shape != (n, n) or clipped.mask.shape != (n, n):
        raise ValueError(f"need two matrices [2B, 2B], got {[*similarity.shape]} and {[*clipped.mask.shape]}")
    if clipped.treatment not in ("remove", "clamp"):
        raise ValueError(f"treatment must be remove or clamp, got {clipped.treatment!r}")
    _check_temperature(temperature)
    similarity = _precise(similarity)
    mask = clipped.mask & negatives(n, device=similarity.device)
    if clipped.treatment == "clamp":
        similarity = torch.where(mask, clipped.level.to(similarity.dtype), similarity)
        mask = torch.zeros_like(mask)
    return (similarity / temperature).masked_fill(mask.fill_diagonal_(True), -math.inf)


def debiased_nt_xent(similarity: Tensor, *, prior: float, temperature: float) -> Tensor:
    """Contrastive losses `[2B]` in nats whose sum over negatives is corrected for a share ρ of false ones.

    The sum becomes n · max( (mean_j e^{s_ij/τ} − ρ e^{s_i⁺/τ}) / (1 − ρ), e^{−1/τ} ). It is computed in log space,
    log(e^a − e^b) = a + log(1 − e^{b−a}), since e^{s/τ} reaches 10⁴³ at τ = 0.01. A single image has loss 0.

    Args:
        similarity: `[2B, 2B]` cosines, floating point.
        prior: ρ in [0, 1).
        temperature: τ > 0, on the cosine scale.

    Raises:
        ValueError: the matrix is not `[2B, 2B]`, or a setting is invalid.

    References:
        Chuang et al. 2020, arXiv 2007.00224, eq. 7 and 8 (M = 1 positive).
    """
    n = len(similarity)
    if similarity.shape != (n, n):
        raise ValueError(f"need similarities [2B, 2B], got {[*similarity.shape]}")
    if not 0 <= prior < 1:
        raise ValueError(f"prior must be at least 0 and less than 1, got {prior}")
    _check_temperature(temperature)
    logits = _precise(similarity) / temperature
    candidates = negatives(n, device=logits.device)
    if n == 2:
        return logits.sum(1) * 0.0
    positive = logits.gather(1, positives(n, device=logits.device)[:, None]).squeeze(1)  # [2B]
    mean = logits.masked_fill(~candidates, -math.inf).logsumexp(1) - math.log(n - 2)  # log mean_j e^{s_ij/τ}
    floor = torch.full_like(mean, -1 / temperature)
    if prior > 0:
        share = math.log(prior) + positive - mean  # b − a, log of the share of the mean that counts as false
        rest = -torch.expm1(share.clamp(max=0))  # 1 − e^{b−a}, [2B]
        above = rest > 0  # otherwise the bracket is not positive and the floor replaces it
        log_rest = torch.where(above, rest, 1.0).log()  # avoids log 0, whose gradient is infinite
        mean = torch.where(above, mean + log_rest - math.log1p(-prior), floor)
    total = math.log(n - 2) + torch.maximum(mean, floor)
    return torch.logaddexp(positive, total) - positive


def assignment_entropy(assignment: Tensor) -> Tensor:
    """Mean entropy in nats of soft assignments `[…, K]`: 0 if each is one-hot, log K if uniform."""
    p = _precise(assignment)
    tiny = torch.finfo(p.dtype).tiny  # −p log p has an infinite slope at 0
    return -(p * p.clamp(min=tiny).log()).sum(-1).mean()


def codeword_similarity(codewords: Tensor) -> Tensor:
    """Mean cosine of different codewords of a codebook, over codebooks `[M, K, d]`, K ≥ 2.

    Σ_{k≠l} ⟨c_k, c_l⟩ = |Σ_k c_k|² − K for unit codewords, so no K × K matrix is needed.
    """
    _, k, _ = codewords.shape
    unit = F.normalize(_precise(codewords), dim=-1)
    return ((unit.sum(1).square().sum(-1) - k) / (k * (k - 1))).mean()


def cosines(z: Tensor, more: Tensor | None = None) -> Tensor:
    """Cosine similarities `[n, n + m]` in [−1, 1] of rows `[n, D]` with themselves and rows `more` `[m, D]`.

    Float32 or better, even under autocast.
    """
    if z.ndim != 2:
        raise ValueError(f"need embeddings [n, D], got {[*z.shape]}")
    with torch.autocast(z.device.type, enabled=False):
        z = F.normalize(_precise(z), dim=-1)
        others = z if more is None else torch.cat([z, F.normalize(more.to(z.dtype), dim=-1)])
        return (z @ others.T).clamp(-1, 1)


def _precise(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _check_temperature(temperature: float) -> None:
    if not temperature > 0:
        raise ValueError(f"temperature must be positive, got {temperature}")


def _check_views(z0: Tensor, z1: Tensor) -> None:
    if z0.ndim != 2 or z0.shape != z1.shape:
        raise InputError(f"need two views [B, D] of the same shape, got {[*z0.shape]} and {[*z1.shape]}")
    if len(z0) < 2:
        raise InputError(f"need at least 2 images, got {len(z0)}: one has no negatives; drop the last batch")
    if z0.device != z1.device:
        raise InputError(f"need both views on one device, got {z0.device} and {z1.device}")
    for name, z in (("z0", z0), ("z1", z1)):
        if not z.is_floating_point():
            raise InputError(f"need floating-point embeddings, but {name} is {z.dtype}; convert it to float32")
        if not z.isfinite().all():
            raise InputError(f"{name} holds non-finite numbers; check the learning rate and the data")
