"""Clipping: which negatives of an anchor are taken for false, and left out.

In a batch of two views of B pictures, anchor i has one positive (the other view) and n = 2B − 2 negatives.
Some of those show the same class; a contrastive loss pushes them away all the same. Without labels one cannot
know them, but they tend to be the most similar ones, and that is what the rules below select. Selection carries
no gradient, and never touches an anchor itself or its positive.

| rule             | clips, for anchor i                                              | source                     |
| ---------------- | ---------------------------------------------------------------- | -------------------------- |
| `none`           | nothing                                                          | Chen 2020 (SimCLR)         |
| `rank`           | the ⌊q·n⌋ most similar negatives                                 | TransClippedCLR, 2401.15362 |
| `threshold`      | every s_ij > δ                                                   | a similarity threshold     |
| `rank+threshold` | those among the ⌊q·n⌋ most similar that are above δ              | Huynh 2022                 |
| `adaptive`       | every s_ij > mean + c·σ of the anchor's own n similarities       | ours                       |
| `debiased`       | nothing; the loss replaces the sum over negatives (`losses.py`)  | Chuang 2020; MeCoQ         |

A rule of one's own is a function with `@register("name")`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from transclipped.config import ClippingConfig
from transclipped.errors import InputError

EPSILON = 1e-6  # what `adaptive` adds, so that equal similarities are never above their own mean


@dataclass(frozen=True)
class Clipped:
    """What a rule selected.

    Attributes:
        mask: `[2B, 2B]` bool, True where the pair (anchor i, negative j) is clipped.
        level: `[2B, 1]` cosine at which the treatment `clamp` holds the clipped pairs of anchor i.
    """

    mask: Tensor
    level: Tensor


Rule = Callable[[Tensor, Tensor, ClippingConfig], Clipped]
RULES: dict[str, Rule] = {}


def register(name: str) -> Callable[[Rule], Rule]:
    """Decorator that makes a rule known by name.

    A rule gets cosine similarities `[2B, 2B]`, the mask of negatives `[2B, 2B]` and the settings, and
    answers with `Clipped`; a pair that is no negative may be marked, and is dropped.
    """

    def add(rule: Rule) -> Rule:
        RULES[name] = rule
        return rule

    return add


def clip(similarity: Tensor, config: ClippingConfig, *, epoch: float = math.inf) -> Clipped:
    """Apply the configured rule, at the strength it has at this epoch.

    Args:
        similarity: `[2B, 2B]` cosines; rows i and i + B are two views of one picture.
        config: rule, its parameters and warm-up.
        epoch: fractional epochs done; of the n_i pairs that the rule picks for anchor i, the ⌊w·n_i⌋ most
            similar are clipped, w = `strength(config, epoch)`.

    Raises:
        InputError: no rule has this name.
        ValueError: the matrix is not square and even.
    """
    rule = rule_named(config.rule)
    similarity = similarity.detach()
    candidates = negatives(len(similarity), device=similarity.device)
    if similarity.shape != candidates.shape:
        raise ValueError(f"need similarities [2B, 2B], got {[*similarity.shape]}")
    picked = rule(similarity, candidates, config)
    mask = picked.mask & candidates
    w = strength(config, epoch)
    if w < 1:
        mask = _most_similar(similarity, mask, torch.floor(w * mask.sum(1).double() + 1e-9).long())
    return Clipped(mask, picked.level)


def rule_named(name: str) -> Rule:
    """A registered rule.

    Raises:
        InputError: there is none of this name.
    """
    if name not in RULES:
        raise InputError(f"clipping.rule is {name!r}; choose one of {', '.join(RULES)}")
    return RULES[name]


def strength(config: ClippingConfig, epoch: float) -> float:
    """w = clip((e − start) / (full − start), 0, 1); a step from 0 to 1 where both are one epoch."""
    if config.full <= config.start:
        return float(epoch >= config.start)
    return min(1.0, max(0.0, (epoch - config.start) / (config.full - config.start)))


def negatives(n: int, *, device: torch.device | None = None) -> Tensor:
    """`[n, n]` bool: True for all pairs but an anchor with itself and with its other view.

    Raises:
        ValueError: n is odd or 0.
    """
    if n < 2 or n % 2:
        raise ValueError(f"need two views of each picture, got {n} rows")
    anchor = torch.arange(n, device=device)
    mask = torch.ones(n, n, dtype=torch.bool, device=device)
    mask[anchor, anchor] = False
    mask[anchor, anchor.roll(n // 2)] = False
    return mask


def n_clipped_by_rank(fraction: float, n: int) -> int:
    """⌊q·n⌋, free of rounding: 0.29 · 100 is 29, though the product of the doubles is below it."""
    return math.floor(fraction * n + 1e-9)


@register("none")
def _none(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    return Clipped(torch.zeros_like(candidates), similarity.new_ones(len(similarity), 1))


@register("debiased")
def _debiased(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    return _none(similarity, candidates, config)


@register("rank")
def _rank(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    n = len(similarity) - 2
    mask = _most_similar(similarity, candidates, n_clipped_by_rank(config.fraction, n))
    smallest = similarity.masked_fill(~mask, 1.0).amin(1, keepdim=True)
    return Clipped(mask, smallest)


@register("threshold")
def _threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    level = similarity.new_full((len(similarity), 1), config.threshold)
    return Clipped(similarity > config.threshold, level)


@register("rank+threshold")
def _rank_and_threshold(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    above = _threshold(similarity, candidates, config)
    return Clipped(above.mask & _rank(similarity, candidates, config).mask, above.level)


@register("adaptive")
def _adaptive(similarity: Tensor, candidates: Tensor, config: ClippingConfig) -> Clipped:
    n = max(1, len(similarity) - 2)
    ours = similarity.masked_fill(~candidates, 0.0)
    mean = ours.sum(1, keepdim=True) / n
    variance = (ours - mean).masked_fill(~candidates, 0.0).square().sum(1, keepdim=True) / n
    level = mean + config.sigma * variance.sqrt()  # δ_i, [2B, 1]
    return Clipped(similarity > level + EPSILON, level)


def _most_similar(similarity: Tensor, candidates: Tensor, count: int | Tensor) -> Tensor:
    """`[n, n]` bool: each row's `count` most similar candidates, ties by index.

    Args:
        count: one number for all rows, or `[n]`.
    """
    rows = len(similarity)
    counts = count if isinstance(count, Tensor) else torch.full((rows,), count, device=similarity.device)
    most = int(counts.max())
    if most == 0:
        return torch.zeros_like(candidates)
    masked = similarity.masked_fill(~candidates, -torch.inf)
    best = masked.topk(most, dim=1).values  # a third of the time of a full sort
    border = best.gather(1, (counts - 1).clamp(min=0)[:, None])  # [n, 1], the smallest that is taken
    above, tied = masked > border, masked == border
    tied &= tied.cumsum(1) <= counts[:, None] - above.sum(1, keepdim=True)
    return (above | tied) & candidates & (counts > 0)[:, None]
