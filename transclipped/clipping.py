"""Clipping: which negatives of an anchor are taken for false, and left out.

A batch holds two views of B pictures. Anchor i has one positive, its other view, and n = 2B − 2 negatives, which a
contrastive loss pushes away. Some of them show what the anchor shows: false negatives. Nobody can tell which without
labels, but they tend to be among the most similar, and those are what a rule picks from the cosines s_ij:

| rule             | clips, for anchor i                                     | source                            |
| ---------------- | ------------------------------------------------------- | --------------------------------- |
| `none`           | nothing                                                 | SimCLR, Chen 2020                 |
| `rank`           | the ⌊q·n⌋ most similar negatives, ties by index         | TransClippedCLR, arXiv 2401.15362 |
| `threshold`      | every s_ij > δ                                          | a similarity threshold            |
| `rank+threshold` | of the ⌊q·n⌋ most similar, those above δ                | Huynh 2022, arXiv 2011.11765      |
| `adaptive`       | every s_ij > δ_i = mean + c·σ of its own n similarities | ours                              |
| `debiased`       | nothing; corrects the sum over negatives (`losses.py`)  | Chuang 2020, arXiv 2007.00224     |

Early in training similarities mean little, so a warm-up of strength w clips only the ⌊w·n_i⌋ most similar of the n_i
pairs that the rule picks. Picking carries no gradient, and never touches an anchor itself or its positive.

A rule of one's own takes three lines, and `ClippingConfig(rule="mine")` then names it:

    @register("mine")
    def mine(similarity, candidates, config):
        return similarity > 0.9, 0.9  # what to clip, and where the treatment `clamp` holds it
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from transclipped.config import ClippingConfig
from transclipped.errors import InputError

MARGIN = 1e-6  # cosine; `adaptive` asks for this much more, so that rounding clips none of n equal similarities

Rule = Callable[[Tensor, Tensor, ClippingConfig], tuple[Tensor, Tensor | float | None]]
RULES: dict[str, Rule] = {}


@dataclass(frozen=True)
class Clipped:
    """What was clipped.

    Attributes:
        mask: `[2B, 2B]` bool, True where negative j is clipped for anchor i; never itself or its positive.
        level: `[2B, 1]` cosine at which the treatment `clamp` holds the clipped pairs of anchor i.
    """

    mask: Tensor
    level: Tensor


def register(name: str) -> Callable[[Rule], Rule]:
    """Decorator that makes a rule known by `name`, in place of an earlier one.

    A rule gets the cosines `[2B, 2B]` (float32 or better, no gradient), the candidates `[2B, 2B]` (bool, True for
    negatives) and the settings. It returns which pairs to clip, `[2B, 2B]` bool, and the cosine at which `clamp`
    holds them: a number, a tensor `[2B, 1]`, or None for the smallest that was clipped for the anchor. Marked
    pairs that are not candidates are dropped.
    """

    def add(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return add


def clip(similarity: Tensor, config: ClippingConfig, *, epoch: float = math.inf) -> Clipped:
    """Apply the configured rule with the strength that it has at this epoch.

    Args:
        similarity: `[2B, 2B]` cosines; rows i and i + B are two views of one picture.
        config: the rule, its parameters and its warm-up.
        epoch: fractional epochs done; the default is past any warm-up.

    Raises:
        InputError: no rule has this name.
        ValueError: the matrix is not `[2B, 2B]`, or a rule's answer is not.
    """
    rule = rule_named(config.rule)
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"need similarities [2B, 2B], got {[*similarity.shape]}")
    similarity = similarity.detach().to(torch.promote_types(similarity.dtype, torch.float32))
    candidates = negatives(len(similarity), device=similarity.device)

    picked, level = rule(similarity, candidates, config)
    if picked.dtype != torch.bool or picked.shape != candidates.shape:
        raise ValueError(f"rule {config.rule!r} must pick a bool {[*candidates.shape]}, got {[*picked.shape]}")
    mask = picked & candidates
    w = strength(config, epoch)
    if w < 1:
        mask = most_similar(similarity, mask, share_of(mask.sum(1), w))
    if level is None:
        level = similarity.masked_fill(~mask, 1.0).amin(1, keepdim=True)
    level = torch.as_tensor(level, dtype=similarity.dtype, device=similarity.device)
    return Clipped(mask, level.expand(len(similarity), 1))


def rule_named(name: str) -> Rule:
    """A registered rule.

    Raises:
        InputError: there is none of this name.
    """
    if name not in RULES:
        raise InputError(f"clipping.rule is {name!r}; choose one of {', '.join(RULES)}")
    return RULES[name]


def strength(config: ClippingConfig, epoch: float) -> float:
    """w = (epoch − start) / (full − start) within [0, 1]; a step at `start` where both are one epoch."""
    if config.start == config.full:
        return float(epoch >= config.start)
    return min(1.0, max(0.0, (epoch - config.start) / (config.full - config.start)))


def positives(n: int, *, device: torch.device | str | None = None) -> Tensor:
    """`[n]` int64: the row of each anchor's positive, its other view.

    Raises:
        ValueError: n is odd or 0.
    """
    if n < 2 or n % 2:
        raise ValueError(f"need two views of each picture, 2B rows, got {n}")
    return torch.arange(n, device=device).roll(n // 2)


def negatives(n: int, *, device: torch.device | str | None = None) -> Tensor:
    """`[n, n]` bool: True for every pair but an anchor with itself and with its positive.

    Raises:
        ValueError: n is odd or 0.
    """
    mask = torch.ones(n, n, dtype=torch.bool, device=device).fill_diagonal_(False)
    return mask.scatter_(1, positives(n, device=device)[:, None], False)


@register("debiased")
@register("none")
def _none(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, None]:
    return torch.zeros_like(candidates), None


@register("rank")
def _rank(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, None]:
    return most_similar(similarity, candidates, share_of(candidates.sum(1), config.fraction)), None


@register("threshold")
def _threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    return similarity > config.threshold, config.threshold


@register("rank+threshold")
def _rank_and_threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, float]:
    first, _ = _rank(similarity, candidates, config)
    above, level = _threshold(similarity, candidates, config)
    return first & above, level


@register("adaptive")
def _adaptive(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> tuple[Tensor, Tensor]:
    n = candidates.sum(1, keepdim=True).clamp(min=1)  # a single picture has no negatives
    mean = (similarity * candidates).sum(1, keepdim=True) / n
    variance = ((similarity - mean).square() * candidates).sum(1, keepdim=True) / n
    level = mean + config.sigma * variance.sqrt()  # δ_i, [2B, 1]
    return similarity > level + MARGIN, level


def share_of(count: Tensor, share: float) -> Tensor:
    """⌊share · count⌋ of each count `[n]` int64, in whole numbers.

    In floating point 0.29 · 100 is just below 29, and would lose a pair.
    """
    ratio = Fraction(share).limit_denominator(10**9)  # 0.29 becomes 29/100, as it was meant
    return count * ratio.numerator // ratio.denominator


def most_similar(similarity: Tensor, candidates: Tensor, count: Tensor) -> Tensor:
    """`[n, n]` bool: the `count[i]` most similar candidates of row i, ties by index.

    Finds the similarity of the last one in, takes all above it, and fills up with the first ones equal to it;
    sorting whole rows would take several times as long.
    """
    most = int(count.max())
    if most == 0:
        return torch.zeros_like(candidates)
    similarity = similarity.masked_fill(~candidates, -math.inf)
    last = similarity.topk(most, dim=1).values.gather(1, (count - 1).clamp(min=0)[:, None])  # [n, 1]
    above = similarity > last
    equal = (similarity == last) & candidates
    free = count[:, None] - above.sum(1, keepdim=True)  # places for the equal ones
    return above | (equal & (equal.cumsum(1, dtype=torch.int32) <= free))
