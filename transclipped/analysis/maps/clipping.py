"""Clipped or not, on a map: what a run's rule takes for false negatives, were all the map's items one batch.

Each item is shown by one view, so the negatives of an item are all the others, n − 1 of them. The rule is at full
strength, past any warm-up, and looks at the embeddings that it looked at in training. Labels are not used.
"""

from __future__ import annotations

import numpy as np
import torch

from transclipped.analysis.maps.plane import sample
from transclipped.analysis.maps.projections import CONTINUOUS, QUANTIZED, Items
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.vectors import unit

ANCHORS = 1000  # that are asked about every item, where there are more
CHUNK = 256  # anchors whose similarities to all items are held at once


def looked_at(shown: Items, config: ClippingConfig) -> np.ndarray:
    """Embeddings `[n, D]` that the rule looks at.

    Raises:
        InputError: they are not on this machine.
    """
    if config.on not in shown.vectors:
        raise InputError(
            f"the rule looks at {config.on} embeddings, which are not there for these images; choose another "
            "colour, or encode the data set: training a run on it does"
        )
    return shown.vectors[config.on]


def seen_query(stored: Retrieval, query: np.ndarray, config: ClippingConfig) -> np.ndarray:
    """A stored query `[D]` as the rule looks at it, `[D]`.

    Raises:
        InputError: the rule looks at the backbone's embeddings, which a run does not store.
    """
    query = query.astype(np.float32)
    if config.on == CONTINUOUS:
        return query
    if config.on == QUANTIZED:
        return decode(stored.codebooks, encode(stored.codebooks, query[None]))[0]
    raise InputError(f"the rule looks at {config.on} embeddings, which the run does not store of its queries")


def taken(vectors: np.ndarray, config: ClippingConfig, *, anchor: int | np.ndarray) -> np.ndarray:
    """Which items `[n]` bool the rule takes for false negatives of one anchor.

    Args:
        vectors: `[n, D]`.
        anchor: row of an item, which is never taken, or the embedding `[D]` of an image that is no item.

    Raises:
        InputError: the rule is not known, or only works on whole batches.
    """
    x = torch.from_numpy(unit(vectors))
    candidates = torch.ones(1, len(x), dtype=torch.bool)
    if isinstance(anchor, np.ndarray):
        asking = torch.from_numpy(unit(np.asarray(anchor, np.float32)[None]))
    else:
        asking = x[anchor : anchor + 1]
        candidates[0, anchor] = False
    return _picked(asking @ x.T, candidates, config)[0].numpy()


def share_of_anchors(
    vectors: np.ndarray, config: ClippingConfig, *, anchors: int = ANCHORS, seed: int = 0
) -> np.ndarray:
    """How often the rule takes each item for a false negative, `[n]` float32: the share of the others as anchors.

    With more than `anchors` items, a draw of them is asked.

    Raises:
        InputError: as `taken`.
    """
    x = torch.from_numpy(unit(vectors))
    n = len(x)
    rows = sample(n, anchors, seed=seed)
    count = torch.zeros(n, dtype=torch.int64)
    for start in range(0, len(rows), CHUNK):
        mine = torch.from_numpy(rows[start : start + CHUNK])
        candidates = torch.ones(len(mine), n, dtype=torch.bool)
        candidates[torch.arange(len(mine)), mine] = False
        count += _picked(x[mine] @ x.T, candidates, config).sum(0)
    others = len(rows) - np.isin(np.arange(n), rows)  # anchors but oneself
    return (count.numpy() / np.maximum(1, others)).astype(np.float32)


def _picked(similarity: torch.Tensor, candidates: torch.Tensor, config: ClippingConfig) -> torch.Tensor:
    """Pairs `[a, n]` that the rule picks for a anchors."""
    rule = RULES[config.rule]
    try:
        picked, _ = rule.pick(similarity.clamp(-1, 1), candidates, config)
        if picked.dtype != torch.bool or picked.shape != candidates.shape:
            raise ValueError(f"it picks {[*picked.shape]} of {[*candidates.shape]} pairs")
        return picked & candidates
    except Exception as error:  # a rule of somebody's own may count on square matrices
        raise InputError(
            f"the rule {config.rule!r} cannot be shown on a map: {error}; choose another colour"
        ) from error
