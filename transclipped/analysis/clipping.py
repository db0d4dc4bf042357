"""What clipping does in one batch: which pairs, and, where labels are known, how many were false negatives.

Labels are for looking only; no rule sees them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from transclipped.clipping import clip, negatives
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.losses import cosines


@dataclass(frozen=True)
class Batch:
    """Similarities of two views of B pictures under a model.

    Attributes:
        rows: `[B]` of the picture set.
        similarity: `[2B, 2B]` float32 cosines of soft codes.
        false: `[2B, 2B]` bool, negatives that share a label with the anchor; None without labels.
    """

    rows: np.ndarray
    similarity: np.ndarray
    false: np.ndarray | None


@dataclass(frozen=True)
class Report:
    """What a rule clips of a batch.

    Attributes:
        mask: `[2B, 2B]` bool, clipped pairs.
        share: of all pairs of an anchor and a negative.
        precision: share of clipped pairs that were false negatives; recall: share of those that were clipped.
        repulsion: (before, after), share of the repulsive softmax weight that falls on false negatives.
        The last three are None without labels.
    """

    mask: np.ndarray
    share: float
    precision: float | None
    recall: float | None
    repulsion: tuple[float, float] | None


def report(batch: Batch, config: ClippingConfig, *, temperature: float) -> Report:
    """Apply a rule to a batch and compare with the labels, if there are any."""
    similarity = torch.from_numpy(batch.similarity)
    mask = clip(similarity, config).mask
    n = len(mask)
    share = mask.sum().item() / max(1, n * (n - 2))
    if batch.false is None:
        return Report(mask.numpy(), share, None, None, None)
    false = torch.from_numpy(batch.false)
    hit = (mask & false).sum().item()
    before = false_repulsion(similarity, torch.zeros_like(mask), false, temperature=temperature)
    after = false_repulsion(similarity, mask, false, temperature=temperature)
    precision = hit / mask.sum().item() if mask.any() else None
    recall = hit / false.sum().item() if false.any() else None
    return Report(mask.numpy(), share, precision, recall, (before, after))


def false_repulsion(similarity: torch.Tensor, mask: torch.Tensor, false: torch.Tensor, *, temperature: float) -> float:
    """Σ_false p_ij / Σ_neg p_ij over all anchors, p_ij the softmax weight of negative j that is not clipped."""
    candidates = negatives(len(similarity))
    itself = torch.eye(len(similarity), dtype=torch.bool)
    weights = (similarity / temperature).masked_fill(itself | mask, -torch.inf).softmax(1)
    return ((weights * false).sum() / (weights * candidates).sum().clamp(min=1e-12)).item()


def neighbours(batch: Batch, anchor: int, count: int) -> np.ndarray:
    """The `count` negatives most similar to an anchor, most similar first."""
    mask = negatives(len(batch.similarity)).numpy()[anchor]
    order = np.argsort(-np.where(mask, batch.similarity[anchor], -2), kind="stable")
    return order[: min(count, int(mask.sum()))]


def batch_of(run, *, size: int, seed: int, epoch: int | None = None) -> Batch:
    """Two views, plain and flipped, of pictures drawn from a run's training set, under its model.

    Args:
        epoch: whose head is used, None for the kept one.

    Raises:
        InputError: the run lacks something.
    """
    from transclipped.training.features import encode
    from transclipped.training.session import prepare, trained_model

    session = prepare(run.config)
    backbone, head = trained_model(run, backbone=session.backbone)
    if epoch is not None:
        head = run.head(epoch=epoch)
    train = session.split.train
    if len(train) < 2:
        raise InputError(f"{run.path} trained on {len(train)} pictures; a batch needs two")
    rows = np.sort(np.random.default_rng(seed).choice(train, min(size, len(train)), replace=False))
    features = [np.concatenate([f for _, f in encode(backbone, session.images, rows, view=v)]) for v in (0, 1)]
    with torch.inference_mode():
        codes = head(torch.from_numpy(np.concatenate(features)))
        similarity = cosines(codes.quantized.flatten(1))
    return Batch(rows, similarity.numpy(), _false(session.images.labels, rows))


def _false(labels: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    if labels is None:
        return None
    own = labels[np.tile(rows, 2)]
    same = own[:, None] == own if own.ndim == 1 else (own.astype(np.float32) @ own.T.astype(np.float32)) > 0
    return same & negatives(len(own)).numpy()
