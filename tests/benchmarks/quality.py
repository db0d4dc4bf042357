"""How good a backbone's embeddings are before any head: nearest-neighbour accuracy and float retrieval.

Both are by cosine similarity. They use labels, to look at what was learnt without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.metrics import average_precision
from transclipped.retrieval.relevance import relevance
from transclipped.retrieval.vectors import unit


@dataclass(frozen=True)
class Quality:
    """Accuracy of a majority vote among the n nearest, and plain mAP@K of the ranking; both in [0, 1]."""

    accuracy: float
    map: float


def quality(
    queries: np.ndarray,
    database: np.ndarray,
    *,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    neighbours: int,
    k: int,
    chunk: int = 1024,
) -> Quality:
    """Quality of embeddings `[Q, F]` against `[N, F]`, with class labels `[Q]` and `[N]`.

    Votes of equal number go to the class whose first voter is nearest.

    Raises:
        ValueError: k is less than `neighbours`.
    """
    if k < neighbours:
        raise ValueError(f"mAP@{k} does not rank the {neighbours} neighbours that vote")
    index = FlatIndex(unit(database), codebooks=1)
    right, precision = 0, 0.0
    for start in range(0, len(queries), chunk):
        part = slice(start, start + chunk)
        rows = index.search(unit(queries[part]), k).rows
        precision += average_precision(relevance(query_labels[part], database_labels, rows))[0].sum()
        right += int((vote(database_labels[rows[:, :neighbours]]) == query_labels[part]).sum())
    return Quality(right / len(queries), float(precision / len(queries)))


def vote(classes: np.ndarray) -> np.ndarray:
    """The most frequent class of each row `[Q, n]`, the earliest of those that tie."""
    counts = (classes[:, :, None] == classes[:, None, :]).sum(2)  # [Q, n]: how often each entry occurs
    return np.take_along_axis(classes, counts.argmax(1)[:, None], 1)[:, 0]
