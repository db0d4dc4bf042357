"""Which images are relevant to which: those that share a label.

Labels are classes `[n]` int, −1 for none, or marks `[n, L]` of 0 and 1. Nothing is relevant to an image without labels.
"""

import numpy as np

UNLABELLED = -1
CHUNK = 128  # queries compared with a whole database of marks at once


def relevance(query_labels: np.ndarray, database_labels: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
    """Whether items share a label with the query: `[Q, k]` bool for rows `[Q, k]`, or `[Q, N]` for all."""
    if query_labels.ndim == 1:
        theirs = database_labels[None] if rows is None else database_labels[rows]
        return (theirs == query_labels[:, None]) & (query_labels != UNLABELLED)[:, None]
    if rows is None:
        return (query_labels.astype(np.float32) @ database_labels.T.astype(np.float32)) > 0
    return np.stack([(database_labels[r] & q).any(1) for q, r in zip(query_labels, rows, strict=True)])


def n_relevant(query_labels: np.ndarray, database_labels: np.ndarray) -> np.ndarray:
    """Number of relevant items in the database for each query, `[Q]` int64."""
    if query_labels.ndim == 1:
        classes, counts = np.unique(database_labels[database_labels != UNLABELLED], return_counts=True)
        count = dict(zip(classes.tolist(), counts.tolist(), strict=True))
        return np.array([count.get(label, 0) for label in query_labels.tolist()], np.int64)
    starts = range(0, len(query_labels), CHUNK)
    parts = [relevance(query_labels[start : start + CHUNK], database_labels).sum(1) for start in starts]
    return np.concatenate([np.zeros(0, np.int64), *parts])


def has_any(labels: np.ndarray, classes: list[int]) -> np.ndarray:
    """Which images with labels `[n]` or `[n, L]` belong to any of some classes: `[n]` bool."""
    return np.isin(labels, classes) if labels.ndim == 1 else labels[:, classes].any(1)
