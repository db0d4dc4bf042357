"""Trains two heads on triplets between two frozen encoders of each image.

The first head is the one that searches: a projection and a quantizer, whose soft codes are the a_i of
`training.objectives.triplet`. The second, a linear map of the other encoder's embedding without bias, gives the b_i and
is dropped after training. A run holds one encoder, so such a head is trained here and not by `train`.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from transclipped.config import RunConfig, ScheduleConfig
from transclipped.losses import regularised
from transclipped.models.head import Head
from transclipped.retrieval.relevance import relevance
from transclipped.runs.session import Session
from transclipped.training.collapse import mean_cosine
from transclipped.training.objectives.triplet import clipped_triplet
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import decay_groups, scheduled_lr


def train_pair(
    head: Head,
    views: list[np.ndarray],
    others: list[np.ndarray],
    session: Session,
    config: RunConfig,
    *,
    rule: str,
) -> dict[str, float]:
    """Train the head and one of the other encoder; returns means over the last epoch.

    Args:
        views, others: cached views `[N, F]` and `[N, G]` by the two encoders.
        session: of the head, for rows and labels; labels only measure what is clipped.
        rule: of `triplet`.
    """
    schedule, rows = config.schedule, session.split.train
    source = CachedViews([np.hstack(pair) for pair in zip(views, others, strict=True)], rows, seed=config.seed)
    second = _linear(others[0].shape[1], config.quantizer.dim, seed=config.seed)
    optimizer = _optimizer(head, second, schedule)
    steps, values = len(rows) // schedule.batch, []
    for step in range(steps * schedule.epochs):
        epoch, within = divmod(step, steps)
        if within == 0:
            batches, values = source.batches(epoch, batch=schedule.batch), []
        for group in optimizer.param_groups:
            group["lr"] = scheduled_lr(step / steps, schedule)
        batch = next(batches)
        first, other = batch.views.split([views[0].shape[1], others[0].shape[1]], dim=1)  # [2B, F], [2B, G]
        codes = head(first)
        z = codes.quantized.flatten(1)
        partner = second(F.normalize(other.float(), dim=-1) * other.shape[1] ** 0.5)  # as `Head.project`
        losses, clipped = clipped_triplet(z, partner, clipping=config.clipping, rule=rule, epoch=step / steps)
        words = head.quantizer.codewords()
        parts = regularised(losses, clipped, codes.assignment, words, loss=config.loss, log_codes=False)
        optimizer.zero_grad(set_to_none=True)
        parts.total.backward()
        optimizer.step()
        values.append(_observed(z.detach(), clipped.mask, session.images.labels[np.tile(batch.rows, 2)]))
    return _means(values)


def _linear(width: int, dim: int, *, seed: int) -> nn.Linear:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(width, dim, bias=False)


def _optimizer(head: Head, second: nn.Linear, schedule: ScheduleConfig) -> torch.optim.AdamW:
    """AdamW of both heads."""
    groups = [*decay_groups(head, schedule.weight_decay, exempt=head.no_weight_decay())]
    groups += decay_groups(second, schedule.weight_decay)
    return torch.optim.AdamW(groups, lr=schedule.lr)


def _means(steps: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each value over the steps that have it."""
    names = {name for step in steps for name in step}
    return {name: float(np.mean([step[name] for step in steps if name in step])) for name in sorted(names)}


def _observed(z: torch.Tensor, mask: torch.Tensor, labels: np.ndarray) -> dict[str, float]:
    """Mean cosine, share of the pairs that are clipped, and of those, if there are any, the share of one class."""
    clipped, n = int(mask.sum()), len(mask)
    values = {"mean_cosine": mean_cosine(z), "clip_fraction": clipped / max(1, n * (n - 2))}
    if clipped:
        values["clip_precision"] = int((mask & torch.from_numpy(relevance(labels, labels))).sum()) / clipped
    return values
