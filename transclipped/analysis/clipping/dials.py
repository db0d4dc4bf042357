"""Effect of a rule on one batch at every amount, counted once, so that a slider needs no server.

With a growing amount (falling δ or c, rising q) clipped sets only grow. So each pair has one amount where it flips, and
all counts, of pairs, of false negatives and of histogram bins, are sums of a table over flips. Similarities are
compared in their own precision, pair by pair, as in training.

Clipping has a gain and a price in one unit. Without it, anchor i pushes negative j away with the force p_ij, its
softmax weight. Clipping the pairs C removes Σ_{false ∩ C} p_ij / Σ_false p_ij of the repulsion on false negatives,
which is the gain, and Σ_{true ∩ C} p_ij / Σ_true p_ij of that on true negatives, which is the price.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from transclipped.analysis.clipping.report import Batch
from transclipped.analysis.clipping.repulsion import repulsion
from transclipped.clipping import MARGIN, RULES, Amount, clip, moments, negatives, share_of, turned
from transclipped.config import ClippingConfig
from transclipped.errors import InputError

BINS = 80  # of a histogram
STEPS = 100  # of a dial


def positions(amount: Amount) -> np.ndarray:
    """`[101]` positions of a dial, ascending; rounded to four decimals."""
    return np.round(np.linspace(*amount.dial, STEPS + 1), 4)


def nearest(amount: Amount, value: float) -> float:
    """The position of a dial closest to a value."""
    amounts = positions(amount)
    return float(amounts[np.abs(amounts - value).argmin()])


@dataclass(frozen=True)
class Dial:
    """Counts over ordered pairs of an anchor and a negative, at each position `[T]`.

    Attributes:
        rule: whose dial it is.
        amounts: `[T]` positions, ascending.
        clipped: `[T]` pairs clipped; hits: `[T]` false negatives among them, None without labels.
        pairs: all pairs; false: false negatives, None without labels.
        edges: `[bins + 1]` cosines.
        histogram: `[2, bins]` pairs of other and of same class (of all and none without labels).
        cut: `[T, 2, bins]` those of them that are clipped.
        level: `[T]` cosine of the least similar pair that an anchor clips, averaged over anchors that clip any; NaN
            where nothing is clipped.
        removed: `[T, 2]` share of the unclipped repulsion on pairs of other and of same class (of all and none without
            labels) that clipping removes: price and gain. NaN without repulsion; None without a temperature.
    """

    rule: str
    amounts: np.ndarray
    clipped: np.ndarray
    hits: np.ndarray | None
    pairs: int
    false: int | None
    edges: np.ndarray
    histogram: np.ndarray
    cut: np.ndarray
    level: np.ndarray
    removed: np.ndarray | None = None

    @property
    def share(self) -> np.ndarray:
        """`[T]` clipped share of all pairs."""
        return self.clipped / max(1, self.pairs)

    @property
    def precision(self) -> np.ndarray | None:
        """`[T]` share of clipped pairs that are false negatives, NaN where nothing is clipped; None without labels."""
        return None if self.hits is None else _ratio(self.hits, self.clipped)

    @property
    def recall(self) -> np.ndarray | None:
        """`[T]` share of false negatives that are clipped, NaN where there are none; None without labels."""
        return None if self.hits is None else _ratio(self.hits, np.full_like(self.hits, self.false))


def dial(batch: Batch, config: ClippingConfig, *, temperature: float | None = None) -> Dial:
    """Counts at every amount of the configured rule, and the repulsion removed at this temperature of the loss.

    Raises:
        InputError: the rule has no amount.
    """
    if config.rule not in turned():
        raise InputError(f"the rule {config.rule!r} has no amount; choose one of {', '.join(turned())}")
    amount = turned()[config.rule]
    amounts = positions(amount)
    candidates = negatives(len(batch.similarity)).numpy()
    count = _FLIPS.get(config.rule, _at_each_amount)
    flips = count(batch.similarity, candidates, amounts, config)[candidates]  # positions that clip each pair
    similarity = batch.similarity[candidates]
    false = np.zeros(len(similarity), bool) if batch.false is None else batch.false[candidates]
    low = np.floor(10 * similarity.min(initial=0.0)) / 10
    edges = np.linspace(low, 1, BINS + 1)
    bins = np.clip(np.searchsorted(edges, similarity, side="right") - 1, 0, BINS - 1)
    t = len(amounts)
    table = np.bincount((flips * 2 + false) * BINS + bins, minlength=(t + 1) * 2 * BINS).reshape(t + 1, 2, BINS)
    ascending = slice(None, None, 1 if amount.rising else -1)  # from the least clipping position to ascending amounts
    cut = table[:0:-1].cumsum(0)[ascending]  # the least clipping position clips the pairs that flip last
    hits = cut[:, 1].sum(1)
    labelled = batch.false is not None
    return Dial(
        rule=config.rule,
        amounts=amounts,
        clipped=cut.sum((1, 2)),
        hits=hits if labelled else None,
        pairs=len(similarity),
        false=int(false.sum()) if labelled else None,
        edges=edges,
        histogram=table.sum(0),
        cut=cut,
        level=_levels(similarity, flips, candidates, t)[ascending],
        removed=None if temperature is None else _removed(batch, flips, candidates, t, temperature)[ascending],
    )


def _levels(similarity: np.ndarray, flips: np.ndarray, candidates: np.ndarray, t: int) -> np.ndarray:
    """`Dial.level`, the least clipping position first."""
    lowest = np.full((len(candidates), t + 1), np.inf)
    np.minimum.at(lowest, (np.nonzero(candidates)[0], flips), similarity)
    lowest = np.minimum.accumulate(lowest[:, :0:-1], axis=1)  # [n, T]
    clips = np.isfinite(lowest)
    return _ratio(np.where(clips, lowest, 0).sum(0), clips.sum(0))


def _removed(batch: Batch, flips: np.ndarray, candidates: np.ndarray, t: int, temperature: float) -> np.ndarray:
    """`Dial.removed`, the least clipping position first."""
    similarity = torch.tensor(batch.similarity)
    force = repulsion(similarity, clip(similarity, ClippingConfig(rule="none")), temperature=temperature)
    false = np.zeros(len(flips), bool) if batch.false is None else batch.false[candidates]
    weights = force.double().numpy()[candidates]
    table = np.bincount(flips * 2 + false, weights=weights, minlength=2 * (t + 1)).reshape(t + 1, 2)
    removed = table[:0:-1].cumsum(0)
    return np.stack([_ratio(removed[:, side], np.full(t, table[:, side].sum())) for side in (0, 1)], axis=1)


def _at_each_amount(similarity, candidates, amounts, config) -> np.ndarray:
    """`[n, n]` number of amounts that clip each pair, by applying the rule at each."""
    rule, s, c = RULES[config.rule], torch.from_numpy(similarity), torch.from_numpy(candidates)
    settings = (replace(config, **{rule.amount.field: float(amount)}) for amount in amounts)
    return sum(rule.pick(s, c, setting)[0].byte() for setting in settings).long().numpy()


def _rank(similarity, candidates, amounts, config) -> np.ndarray:
    """As `_at_each_amount`, in one pass: the 101 selections of most similar pairs would take 20 times as long."""
    n = len(similarity)
    order = np.argsort(-np.where(candidates, similarity, -np.inf), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(n)[None].repeat(n, 0), axis=1)
    counts = np.array([int(share_of(torch.tensor(n - 2), float(q))) for q in amounts])
    return len(amounts) - np.searchsorted(counts, rank, side="right")


def _rank_and_threshold(similarity, candidates, amounts, config) -> np.ndarray:
    first = _rank(similarity, candidates, np.array([config.fraction]), config) > 0
    return np.where(first, _at_each_amount(similarity, candidates, amounts, replace(config, rule="threshold")), 0)


def _adaptive(similarity, candidates, amounts, config) -> np.ndarray:
    s, c = torch.from_numpy(similarity), torch.from_numpy(candidates)
    mean, deviation = moments(s, c)
    levels = torch.cat([mean + float(amount) * deviation for amount in amounts], 1) + MARGIN  # [n, T], ascending
    return torch.searchsorted(levels, s, side="left").numpy()


_FLIPS = {"rank": _rank, "rank+threshold": _rank_and_threshold, "adaptive": _adaptive}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
