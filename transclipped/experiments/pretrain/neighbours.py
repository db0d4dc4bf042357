"""Nearest neighbours as positives: images that are already similar attract each other.

Clipping only stops likely false negatives from being pushed away. For a share of the pairs this module goes further:
the second view comes from one of the anchor's k nearest neighbours instead of the anchor. They are searched among all
training images, which holds nearer ones than a batch, and again in each epoch, as the embedding changes.

References:
    Dwibedi et al. 2021, arXiv 2104.14548 (NNCLR: the nearest neighbour as positive); Van Gansbeke et al. 2020, arXiv
    2005.12320 (SCAN: mined neighbours of a trained embedding); Huynh et al. 2022, arXiv 2011.11765 (attraction).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.vectors import nearest_others
from transclipped.training.sources import CachedViews


class NeighbourViews(CachedViews):
    """Pairs of cached views; for a share of them, the second view is a neighbour's.

    Args:
        views, rows, seed: as in `CachedViews`; rows are sorted.
        find: returns the neighbours `[n, k]` of `rows`, as rows, for an epoch.
        share: of the pairs, in [0, 1].
    """

    def __init__(
        self, views: list[np.ndarray], rows: np.ndarray, *, find: Callable[[int], np.ndarray], share: float, seed: int
    ) -> None:
        super().__init__(views, rows, seed=seed)
        self.find, self.share = find, share

    def partners(self, epoch: int, order: np.ndarray) -> np.ndarray:
        """A neighbour of each of the rows `order`, or the row itself."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        near = self.find(epoch)[np.searchsorted(self.rows, order)]  # [n, k]
        neighbours = near[np.arange(len(order)), rng.integers(near.shape[1], size=len(order))]
        return np.where(rng.random(len(order)) < self.share, neighbours, order)


def nearest_neighbours(embeddings: np.ndarray, k: int) -> np.ndarray:
    """Indices `[n, k]` of the nearest other embeddings of each of `[n, F]`, by cosine, nearest first."""
    if not 0 < k < len(embeddings):
        raise InputError(f"neighbours is {k}, but there are {len(embeddings)} images; choose fewer, and at least 1")
    return nearest_others(embeddings, k)[1]
