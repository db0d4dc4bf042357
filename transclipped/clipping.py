"""Clipping rules: which negatives of an anchor are treated as false and left out.

A batch holds two views of B images. Anchor i has one positive, its other view, and n = 2B − 2 negatives, which a
contrastive loss pushes away. Negatives of the anchor's own class are false. Labels would be needed to identify them,
but they tend to be the most similar negatives, so a rule picks by the cosines s_ij.

Early in training similarities mean little, so a warm-up of strength w clips only the ⌊w·n_i⌋ most similar of the n_i
pairs that the rule picks. Picking carries no gradient and never clips the anchor itself or its positive.

Each rule is registered with its amount, description and source; help, forms, sweeps and tables read them. A plug-in
adds a rule in the same way, for `ClippingConfig(rule="mine")`:

    @register("mine", amount=DELTA, does="every negative more similar than δ")
    def mine(similarity, candidates, config):
        return similarity > config.threshold, config.threshold  # the mask, and the cosine used by `clamp`
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from transclipped.config import ClippingConfig
from transclipped.registry import Registry

if TYPE_CHECKING:  # help and the Overview page read the rules without loading torch
    import torch
    from torch import Tensor

MARGIN = 1e-6  # cosine, added to the level of `adaptive`, so that rounding clips none of n equal similarities

Pick = Callable[["Tensor", "Tensor", ClippingConfig], tuple["Tensor", "Tensor | float | None"]]


@dataclass(frozen=True, kw_only=True)
class Amount:
    """The setting that controls how much a rule clips.

    Attributes:
        field: of `ClippingConfig`; flag, help: on the command line.
        symbol: in formulas and figures; key: in URLs.
        label, range, step, start: of its slider; dial: the part of the range used by the Clipping page.
        rising: whether a larger amount clips more.
        tried: values for sweeps, least clipping first; empty if no sweep varies it.
    """

    field: str
    flag: str
    help: str
    symbol: str
    key: str
    label: str
    range: tuple[float, float]
    dial: tuple[float, float]
    start: float
    step: float = 0.01
    rising: bool = False
    tried: tuple[float, ...] = ()


DELTA = Amount(
    field="threshold",
    flag="--clip-threshold",
    help="cosine similarity above which pairs are clipped",
    symbol="δ",
    key="delta",
    label="Similarity δ",
    range=(-1.0, 1.0),
    dial=(0.0, 1.0),
    start=0.6,
    tried=(0.7, 0.6, 0.5, 0.4, 0.3, 0.2),
)
SHARE = Amount(
    field="fraction",
    flag="--clip-fraction",
    help="share of an anchor's negatives that is clipped",
    symbol="q",
    key="q",
    label="Share q of the negatives",
    range=(0.0, 0.9),
    dial=(0.0, 0.5),
    start=0.05,
    rising=True,
    tried=(0.02, 0.05, 0.1, 0.2, 0.3),
)
SIGMA = Amount(
    field="sigma",
    flag="--clip-sigma",
    help="standard deviations above the anchor's mean",
    symbol="c",
    key="c",
    label="Standard deviations c",
    range=(0.0, 5.0),
    dial=(0.0, 5.0),
    start=2.0,
    tried=(3.0, 2.5, 2.0, 1.5, 1.0),
)
PRIOR = Amount(
    field="class_prior",
    flag="--class-prior",
    help="share of false negatives that `debiased` assumes",
    symbol="ρ",
    key="prior",
    label="Assumed share ρ",
    range=(0.0, 0.9),
    dial=(0.0, 0.9),
    start=0.1,
    rising=True,
)
AMOUNTS = (DELTA, SHARE, SIGMA, PRIOR)


@dataclass(frozen=True)
class Rule:
    """A clipping rule and its description.

    Attributes:
        pick: maps the cosines `[2B, 2B]` (float32 or better, no gradient), the candidates `[2B, 2B]` (bool, True for
            negatives) and the settings to a mask `[2B, 2B]` bool of pairs to clip and the cosine used by `clamp`: a
            number, a tensor `[2B, 1]`, or None for the smallest clipped cosine of each anchor. The mask may include
            pairs that are not candidates; they are never clipped.
        amount: the setting for how much it clips; beside: other settings that it reads.
        does: completes the sentence "Clips …"; source: the paper.
        clips: False for a rule that never clips a pair.
    """

    pick: Pick
    amount: Amount | None = None
    beside: tuple[Amount, ...] = ()
    does: str = "what its plug-in picks"
    source: str = ""
    clips: bool = True

    @property
    def settings(self) -> tuple[Amount, ...]:
        """All settings that the rule reads, its amount last."""
        return self.beside if self.amount is None else (*self.beside, self.amount)


RULES: Registry[Rule] = Registry("clipping.rule", Rule)
register = RULES.register


@dataclass(frozen=True)
class Clipped:
    """The clipped pairs of a batch.

    Attributes:
        mask: `[2B, 2B]` bool, True where negative j is clipped for anchor i.
        level: `[2B, 1]`, the constant cosine of anchor i's clipped pairs under the treatment "clamp".
        treatment: "remove" takes a clipped pair out of the loss; "clamp" sets its similarity to `level`.
        prior: ρ in [0, 1), the share of false negatives that the loss corrects for; None for no correction.
    """

    mask: Tensor
    level: Tensor
    treatment: str = "remove"
    prior: float | None = None


def clip(
    similarity: Tensor, config: ClippingConfig, *, epoch: float = math.inf, candidates: Tensor | None = None
) -> Clipped:
    """Apply the configured rule, with its warm-up strength at this epoch.

    Args:
        similarity: `[2B, 2B]` cosines; rows i and i + B are two views of one image.
        epoch: fractional epochs done; by default any warm-up is over.
        candidates: bool, True for negatives; by default `negatives(2B)`. With it, similarities may have any number of
            columns, such as those with a queue.

    Raises:
        InputError: the rule is unknown.
        ValueError: the matrix, or a rule's mask, is not `[2B, 2B]`, or not of the shape of `candidates`.

    Examples:
        The first two of three images look the same: each view of one clips both views of the other.

        >>> import torch
        >>> from transclipped.clipping import clip
        >>> from transclipped.config import ClippingConfig
        >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]).repeat(2, 1)  # [2B, D]
        >>> clip(z @ z.T, ClippingConfig(rule="threshold", threshold=0.9)).mask.int()
        tensor([[0, 1, 0, 0, 1, 0],
                [1, 0, 0, 1, 0, 0],
                [0, 0, 0, 0, 0, 0],
                [0, 1, 0, 0, 1, 0],
                [1, 0, 0, 1, 0, 0],
                [0, 0, 0, 0, 0, 0]], dtype=torch.int32)
    """
    rule, w = RULES[config.rule], strength(config, epoch)
    similarity, candidates = _comparable(similarity, candidates)
    mask, level = _pick(rule, similarity, candidates, config)
    if w < 1:
        mask = most_similar(similarity, mask, share_of(mask.sum(1), w))
    prior = config.class_prior * w if rule.amount is PRIOR else None
    return Clipped(mask, _level_column(level, similarity, mask), config.treatment, prior)


def _comparable(similarity: Tensor, candidates: Tensor | None) -> tuple[Tensor, Tensor]:
    """Cosines without gradient in float32 or better, and the candidates, by default all negatives."""
    import torch

    if similarity.ndim != 2 or (candidates is None and similarity.shape[0] != similarity.shape[1]):
        raise ValueError(f"need similarities [2B, 2B], got {[*similarity.shape]}")
    if candidates is not None and candidates.shape != similarity.shape:
        raise ValueError(f"need candidates {[*similarity.shape]}, got {[*candidates.shape]}")
    similarity = similarity.detach().to(torch.promote_types(similarity.dtype, torch.float32))
    return similarity, negatives(len(similarity), device=similarity.device) if candidates is None else candidates


def _pick(
    rule: Rule, similarity: Tensor, candidates: Tensor, config: ClippingConfig
) -> tuple[Tensor, Tensor | float | None]:
    """The candidates that the rule picks, and its level; ValueError if its mask does not fit."""
    import torch

    mask, level = rule.pick(similarity, candidates, config)
    if mask.dtype != torch.bool or mask.shape != candidates.shape:
        raise ValueError(f"rule {config.rule!r} must pick a bool {[*candidates.shape]}, got {[*mask.shape]}")
    return mask & candidates, level


def _level_column(level: Tensor | float | None, similarity: Tensor, mask: Tensor) -> Tensor:
    """A rule's level as `[2B, 1]`; None becomes the smallest clipped cosine of each anchor, 1 if there is none."""
    import torch

    if level is None:
        level = similarity.masked_fill(~mask, 1.0).amin(1, keepdim=True)
    return torch.as_tensor(level, dtype=similarity.dtype, device=similarity.device).expand(len(similarity), 1)


def turned() -> dict[str, Amount]:
    """The amounts of all rules that clip, by rule."""
    return {name: rule.amount for name, rule in RULES.items() if rule.clips and rule.amount}


def swept() -> dict[str, Amount]:
    """The amounts that sweeps vary, by rule."""
    return {name: amount for name, amount in turned().items() if amount.tried}


def amount_for(rule: str) -> Amount | None:
    """The amount of a rule; None if it has none or is not registered."""
    return RULES[rule].amount if rule in RULES else None


def amount_of(config: ClippingConfig) -> float | None:
    """The value of the configured rule's amount; None as in `amount_for`."""
    amount = amount_for(config.rule)
    return None if amount is None else getattr(config, amount.field)


def with_amount(rule: str, amount: float | None, **settings: Any) -> ClippingConfig:
    """The settings of a rule with this amount, None for a rule without one."""
    return ClippingConfig(rule=rule, **({} if amount is None else {RULES[rule].amount.field: amount}), **settings)


def described(rule: str, amount: float | None) -> str:
    """A rule and its amount, such as "threshold δ = 0.5"."""
    return rule if amount is None else f"{rule} {RULES[rule].amount.symbol} = {amount:g}"


def strength(config: ClippingConfig, epoch: float) -> float:
    """w = (epoch − start) / (full − start), limited to [0, 1]; a step if `start` equals `full`."""
    if config.start == config.full:
        return float(epoch >= config.start)
    return min(1.0, max(0.0, (epoch - config.start) / (config.full - config.start)))


def positives(n: int, *, device: torch.device | str | None = None) -> Tensor:
    """`[n]` int64: the row of each anchor's positive, its other view; ValueError if n is odd or 0."""
    import torch

    if n < 2 or n % 2:
        raise ValueError(f"need two views of each image, 2B rows, got {n}")
    return torch.arange(n, device=device).roll(n // 2)


def negatives(n: int, *, device: torch.device | str | None = None) -> Tensor:
    """`[n, n]` bool: True except for an anchor with itself and with its positive; ValueError if n is odd or 0."""
    import torch

    mask = torch.ones(n, n, dtype=torch.bool, device=device).fill_diagonal_(False)
    return mask.scatter_(1, positives(n, device=device)[:, None], False)


@register("none", does="nothing", source="SimCLR, Chen 2020, arXiv 2002.05709", clips=False)
def _none(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, None]:
    return candidates & False, None


@register("threshold", amount=DELTA, does="every negative more similar than δ", source="a similarity threshold")
def _threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    return similarity > config.threshold, config.threshold


@register(
    "rank",
    amount=SHARE,
    does="the most similar share q of an anchor's negatives",  # ⌊q·n⌋ of them, ties by index
    source="TransClippedCLR, Dubey 2024, arXiv 2401.15362",
)
def _rank(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, None]:
    return most_similar(similarity, candidates, share_of(candidates.sum(1), config.fraction)), None


@register(
    "rank+threshold",
    amount=replace(DELTA, start=0.5, tried=()),
    beside=(SHARE,),
    does="negatives above δ, among the most similar share q",
    source="Huynh 2022, arXiv 2011.11765",
)
def _rank_and_threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    first, _ = _rank(similarity, candidates, config)
    above, level = _threshold(similarity, candidates, config)
    return first & above, level


@register("adaptive", amount=SIGMA, does="negatives above the anchor's mean + c · σ", source="ours")
def _adaptive(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, Tensor]:
    mean, deviation = moments(similarity, candidates)
    level = mean + config.sigma * deviation  # δ_i, [2B, 1]
    return similarity > level + MARGIN, level


register(
    "debiased",
    amount=PRIOR,
    does="nothing; corrects the sum over negatives for a share ρ of false ones",  # `losses.debiased_nt_xent`
    source="Chuang 2020, arXiv 2007.00224",
    clips=False,
)(_none)


def moments(similarity: Tensor, candidates: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation `[2B, 1]` of each anchor's candidates; 0 if there are none."""
    n = candidates.sum(1, keepdim=True).clamp(min=1)
    mean = (similarity * candidates).sum(1, keepdim=True) / n
    variance = ((similarity - mean).square() * candidates).sum(1, keepdim=True) / n
    return mean, variance.sqrt()


def share_of(count: Tensor, share: float) -> Tensor:
    """⌊share · count⌋ of each count `[n]` int64, exactly: in floating point 0.29 · 100 is just below 29."""
    ratio = Fraction(share).limit_denominator(10**9)  # 0.29 becomes 29/100
    return count * ratio.numerator // ratio.denominator


def most_similar(similarity: Tensor, candidates: Tensor, count: Tensor) -> Tensor:
    """`[n, n]` bool: the `count[i]` most similar candidates of row i, ties by index.

    Takes all pairs above the similarity of the last one, then the first ones equal to it; sorting whole rows would
    take several times as long.
    """
    import torch

    most = int(count.max())
    if most == 0:
        return candidates & False
    similarity = similarity.masked_fill(~candidates, -math.inf)
    last = similarity.topk(most, dim=1).values.gather(1, (count - 1).clamp(min=0)[:, None])  # [n, 1]
    above = similarity > last
    equal = (similarity == last) & candidates
    free = count[:, None] - above.sum(1, keepdim=True)  # number of equal ones to take
    return above | (equal & (equal.cumsum(1, dtype=torch.int32) <= free))
