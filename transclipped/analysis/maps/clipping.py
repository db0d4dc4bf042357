"""False negatives by a run's rule on a map, as if all its items were one batch.

Each item is one view, so all n − 1 others are its negatives. The rule is at full strength, past any warm-up, and sees
the same kind of embedding as in training. Labels are not used.
"""

import numpy as np
import torch

from transclipped.analysis.maps.plane import sample
from transclipped.analysis.maps.projections import CONTINUOUS, QUANTIZED
from transclipped.analysis.maps.store import Items
from transclipped.clipping import RULES
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.vectors import unit

ANCHORS = 1000  # at most, drawn at random
CHUNK = 256  # anchors at once, to bound memory


def looked_at(points: Items, config: ClippingConfig) -> np.ndarray:
    """Embeddings `[n, D]` that the rule compares. Raises InputError if this machine does not have them."""
    if config.on not in points.vectors:
        raise InputError(
            f"the rule compares {config.on} embeddings, which are missing for these images; choose another "
            "colour, or encode the data set by training a run on it"
        )
    return points.vectors[config.on]


def query_for_rule(stored: Retrieval, query: np.ndarray, config: ClippingConfig) -> np.ndarray:
    """A stored query `[D]` as the rule compares it. InputError for backbone embeddings, as none are stored."""
    query = query.astype(np.float32)
    if config.on == CONTINUOUS:
        return query
    if config.on == QUANTIZED:
        return decode(stored.codebooks, encode(stored.codebooks, query[None]))[0]
    raise InputError(f"the rule compares {config.on} embeddings, which runs do not store for queries")


def false_negatives(vectors: np.ndarray, config: ClippingConfig, *, anchor: int | np.ndarray) -> np.ndarray:
    """Which items `[n]` bool with vectors `[n, D]` the rule takes for false negatives of one anchor.

    Args:
        anchor: row of an item, which is never taken, or the embedding `[D]` of another image.

    Raises:
        InputError: the rule is unknown, or works on whole batches only.
    """
    x = torch.from_numpy(unit(vectors))
    candidates = torch.ones(1, len(x), dtype=torch.bool)
    if isinstance(anchor, np.ndarray):
        query = torch.from_numpy(unit(np.asarray(anchor, np.float32)[None]))
    else:
        query = x[anchor : anchor + 1]
        candidates[0, anchor] = False
    return _picked(query @ x.T, candidates, config)[0].numpy()


def share_of_anchors(
    vectors: np.ndarray, config: ClippingConfig, *, anchors: int = ANCHORS, seed: int = 0
) -> np.ndarray:
    """Share of the other items as anchors for which the rule takes an item for a false negative, `[n]` float32.

    Of more than `anchors` items, a random sample serves as anchors. Raises InputError as `false_negatives`.
    """
    x = torch.from_numpy(unit(vectors))
    n = len(x)
    rows = sample(n, anchors, seed=seed)
    count = torch.zeros(n, dtype=torch.int64)
    for start in range(0, len(rows), CHUNK):
        part = torch.from_numpy(rows[start : start + CHUNK])
        candidates = torch.ones(len(part), n, dtype=torch.bool)
        candidates[torch.arange(len(part)), part] = False
        count += _picked(x[part] @ x.T, candidates, config).sum(0)
    others = len(rows) - np.isin(np.arange(n), rows)  # anchors except the item itself
    return (count.numpy() / np.maximum(1, others)).astype(np.float32)


def _picked(similarity: torch.Tensor, candidates: torch.Tensor, config: ClippingConfig) -> torch.Tensor:
    """Pairs `[a, n]` that the rule picks for a anchors."""
    rule = RULES[config.rule]
    try:
        picked, _ = rule.pick(similarity.clamp(-1, 1), candidates, config)
        if picked.dtype != torch.bool or picked.shape != candidates.shape:
            raise ValueError(f"it picks {[*picked.shape]} of {[*candidates.shape]} pairs")
        return picked & candidates
    except Exception as error:  # a custom rule may expect square matrices
        raise InputError(
            f"the rule {config.rule!r} cannot be shown on a map: {error}; choose another colour"
        ) from error
