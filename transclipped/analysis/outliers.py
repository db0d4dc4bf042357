"""Which images are typical of their set, and which are outliers: typicality by nearest neighbours, without labels.

With D_i the mean cosine distance of image i to its k nearest neighbours, and η the median of D,

    u_i = 1 / (1 + D_i / η).

u is 0.5 at the median; it tends to 1 among duplicates, and to 0 far from all others. This is the typicality of
possibilistic clustering, with the nearest neighbours in place of a cluster: those of `analysis.typicality` merge into
one on embeddings of photographs, while neighbours always exist.

η is one number for all images. A scale of each neighbourhood, the mean D of the k nearest, misses small groups of
outliers that resemble one another. k = 10 was chosen on mixtures of images of CIFAR-10 with a few of Caltech-101, for
which no label is needed.

References:
    Krishnapuram & Keller 1993, IEEE Transactions on Fuzzy Systems, eq. 9 with m = 2: typicality, of clusters.
    Ramaswamy, Rastogi & Shim 2000, SIGMOD: outliers by the distance to the k-th neighbour.
    Angiulli & Pizzuti 2002, PKDD, "Fast outlier detection in high dimensional spaces": by the sum of all k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import rows
from transclipped.retrieval.vectors import nearest_others

K = 10  # neighbours
SAME = 1e-6  # cosine distance, below which float32 cannot tell vectors apart


@dataclass(frozen=True)
class Outliers:
    """Typicality of n images.

    Attributes:
        u: `[n]` float64, from 0 to 1. neighbours: their nearest neighbours, rows `[n, k']`, nearest first.
        distances: to these, cosine, `[n, k']` float32.
    """

    u: np.ndarray
    neighbours: np.ndarray
    distances: np.ndarray

    def least(self, count: int) -> list[int]:
        """Rows of the least typical images, the least typical first; of equal ones, the earlier row."""
        return np.argsort(self.u, kind="stable")[:count].tolist()

    def most(self, count: int) -> list[int]:
        """Rows of the most typical images, the most typical first."""
        return np.argsort(-self.u, kind="stable")[:count].tolist()


def outliers(vectors: np.ndarray, *, k: int = K) -> Outliers:
    """Typicality of vectors `[n, D]` by their k' = min(k, n − 1) nearest neighbours; 0.5 if all are equal, or one.

    Raises:
        InputError: a number is not finite, or k is below 1.
    """
    if k < 1:
        raise InputError(f"k is {k}; choose 1 or more neighbours")
    vectors = rows(vectors)
    n = len(vectors)
    if n < 2:
        return Outliers(np.full(n, 0.5), np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32))
    distances, near = nearest_others(vectors, min(k, n - 1))
    distances[distances < SAME] = 0
    d = distances.mean(1, dtype=np.float64)
    scale = np.median(d)
    total = d + scale
    u = np.where(total > 0, scale / np.where(total > 0, total, 1), 0.5)
    return Outliers(u, near, distances)
