"""Neighbours as second views: what the embedding already finds alike is drawn together.

Clipping only keeps likely false negatives from being pushed away. For a share of the pairs this goes a step further:
the second view is of one of the anchor's k nearest neighbours instead of the anchor. They are looked for among all
training images, where nearer ones are found than in a batch, and anew in each epoch, as the embedding learns.

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
    """Pairs of cached views, the second one for a share of them of a neighbour.

    Args:
        views, rows, seed: as of `CachedViews`; rows are sorted.
        find: gives the neighbours `[n, k]` of `rows`, as rows, for an epoch.
        share: of the pairs, in [0, 1].
    """

    def __init__(
        self,
        views: list[np.ndarray],
        rows: np.ndarray,
        *,
        find: Callable[[int], np.ndarray],
        share: float,
        seed: int,
    ) -> None:
        super().__init__(views, rows, seed=seed)
        self.find, self.share = find, share

    def partners(self, epoch: int, order: np.ndarray) -> np.ndarray:
        """A neighbour of each of the rows `order`, or the row itself."""
        rng = np.random.default_rng([self.seed, epoch, 1])
        near = self.find(epoch)[np.searchsorted(self.rows, order)]  # [n, k]
        chosen = near[np.arange(len(order)), rng.integers(near.shape[1], size=len(order))]
        return np.where(rng.random(len(order)) < self.share, chosen, order)


def nearest_neighbours(embeddings: np.ndarray, k: int) -> np.ndarray:
    """Places `[n, k]` of the most similar others of each embedding `[n, F]`, by cosine, nearest first.

    Raises:
        InputError: there are not so many others.
    """
    if not 0 < k < len(embeddings):
        raise InputError(f"neighbours is {k}, but there are {len(embeddings)} images; choose fewer, and at least 1")
    return nearest_others(embeddings, k)[1]
