"""MoCo: NT-Xent whose negatives include a queue of earlier batches, embedded by a slow copy of the head.

    ℓ_i = −log( e^{s_i⁺/τ} / ( e^{s_i⁺/τ} + Σ_{j ∈ N_i} e^{s_ij/τ} + Σ_{q ∈ Q_i} e^{s_iq/τ} ) )

N_i are the negatives of the batch and Q_i those of the queue without the anchor's own image, both without the clipped
ones. An empty queue leaves NT-Xent. MoCo itself takes negatives from its queue only.

The copy follows by θ' ← 0.99 θ' + 0.01 θ, so that the entries of the queue are comparable. On frozen features, where
only the head moves, that is nearly pointless: entries of a few batches ago are hardly older.

References:
    He et al. 2020, arXiv 1911.05722, eq. 1 and 2.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from transclipped.clipping import Clipped, positives
from transclipped.config import MOCO, LossConfig
from transclipped.losses import OBJECTIVES, Memory, attention_logits

QUEUE = 1024  # entries: four batches of 256


@OBJECTIVES.register(MOCO)
def moco(
    views: Tensor, memory: Memory, *, similarity: Tensor, clipped: Clipped, loss: LossConfig, **settings: Any
) -> Tensor:
    """`queue_nt_xent` of the views and the queue."""
    return queue_nt_xent(similarity, clipped, memory.candidates, temperature=loss.temperature)


def queue_nt_xent(
    similarity: Tensor, clipped: Clipped, candidates: Tensor | None = None, *, temperature: float
) -> Tensor:
    """Contrastive losses `[2B]` in nats over batch and queue.

    Args:
        similarity: `[2B, 2B + Q]` cosines of the views with themselves, then with the queue.
        clipped: pairs to leave out or to clamp, `[2B, 2B + Q]`.
        candidates: `[2B, Q]` bool, True where an entry is a negative; None for everywhere.
        temperature: τ > 0, on the cosine scale.

    Raises:
        ValueError: shapes disagree, or a setting is invalid.
    """
    n = len(similarity)
    queue = similarity[:, n:]
    candidates = torch.ones_like(queue, dtype=torch.bool) if candidates is None else candidates
    if clipped.mask.shape != similarity.shape or candidates.shape != queue.shape:
        shapes = ", ".join(str([*t.shape]) for t in (similarity, clipped.mask, candidates))
        raise ValueError(f"need [2B, 2B + Q], [2B, 2B + Q] and [2B, Q], got {shapes}")
    mask = clipped.mask[:, n:]
    batch = Clipped(clipped.mask[:, :n], clipped.level, clipped.treatment)
    logits = attention_logits(similarity[:, :n], batch, temperature=temperature)
    if clipped.treatment == "clamp":
        queue = torch.where(mask, clipped.level.to(queue.dtype), queue)
    else:
        candidates = candidates & ~mask
    more = (queue.to(logits.dtype) / temperature).masked_fill(~candidates, -math.inf)
    return F.cross_entropy(torch.cat([logits, more], 1), positives(n, device=logits.device), reduction="none")
