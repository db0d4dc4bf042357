"""How much of what one codebook says another says too, and how much of that is the class.

Over pairs (a, b) of codebooks and the classes y of the items, with mutual information I in bits, beyond that of
shuffled codes (see `codebooks`):

    shared = mean I(a; b),   entropy = mean H(a),   within = mean Σ_y p_y I(a; b | y).

If two codebooks were independent given the class, `within` would be 0, and they could share at most H(y) bits.

Source: Cover and Thomas 2006, Elements of Information Theory, section 2.5 (conditional mutual information).
"""

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from transclipped.analysis.codebooks import SHUFFLES, Dependence, entropy

LEAST = 500  # images of a class on average; of fewer, shuffled codes share nearly as much, so nothing can be measured
SHARES = {"hardly any": 0.03, "about a tenth": 0.1, "about a quarter": 0.25, "about a third": 1 / 3}
SHARES |= {"about half": 0.5, "about two thirds": 2 / 3, "about three quarters": 0.75, "nearly all": 0.95}


@dataclass(frozen=True)
class Overlap:
    """Means over pairs of codebooks, in bits.

    Attributes:
        entropy: of one codebook.
        shared: by two codebooks.
        within: shared by two codebooks among images of one class; None if unknown.
        class_entropy: of the class alone; None without a single class per image.
        classes: number of classes that occur, 0 if unknown.
    """

    entropy: float
    shared: float
    within: float | None = None
    class_entropy: float | None = None
    classes: int = 0

    @property
    def share(self) -> float:
        """Shared part of what one codebook says, in [0, 1]."""
        return self.shared / self.entropy if self.entropy > 0 else 0.0

    @property
    def of_class(self) -> float | None:
        """Part of what is shared that the class explains, in [0, 1]; None if unknown or nothing is shared."""
        if self.within is None or not self.shared > 0:
            return None
        return float(np.clip(1 - self.within / self.shared, 0, 1))


def overlap(dependence: Dependence, codes: np.ndarray, labels: np.ndarray | None) -> Overlap | None:
    """Overlap of the codebooks of `codes` `[N, M]`, whose `dependence` is given; None for a single codebook.

    Args:
        labels: `[N]` int, −1 for none; other labels are not used.
    """
    m = codes.shape[1]
    if m < 2 or not len(codes):
        return None
    pairs = ~np.eye(m, dtype=bool)
    bits = float(np.diag(dependence.plain).mean()), float(dependence.excess[pairs].mean())
    if labels is None or labels.ndim != 1 or not (labels >= 0).any():
        return Overlap(*bits)
    counts = np.bincount(labels[labels >= 0])
    classes = int((counts > 0).sum())
    within = shared_within(codes, labels) if counts.sum() >= LEAST * classes else None
    return Overlap(*bits, within, float(entropy(counts)), classes)


def shared_within(codes: np.ndarray, labels: np.ndarray, *, seed: int = 0) -> float:
    """Mean over pairs of codebooks of I(a; b | y) in bits beyond chance, at least 0; blind to item order.

    Args:
        codes: `[N, M]` uint8, M ≥ 2.
        labels: `[N]` int; items of −1 are left out.
    """
    rng, total, n = np.random.default_rng(seed), 0.0, int((labels >= 0).sum())
    pairs = list(combinations(range(codes.shape[1]), 2))
    for label in np.unique(labels[labels >= 0]):
        rows = codes[labels == label]
        columns = np.sort(rows, axis=0)  # shuffled below, so their order must not depend on that of the items
        for a, b in pairs:
            joint = _entropy(rows[:, a], rows[:, b])
            chance = np.mean([_entropy(columns[:, a], rng.permutation(columns[:, b])) for _ in range(SHUFFLES)])
            total += len(rows) * max(0.0, float(chance) - joint)  # H(a) + H(b) cancels
    return total / (n * len(pairs)) if n else 0.0


def in_words(share: float) -> str:
    """A share in [0, 1] as the nearest of a few words: "about half"."""
    return min(SHARES, key=lambda words: abs(SHARES[words] - share))


def _entropy(first: np.ndarray, second: np.ndarray) -> float:
    """Joint entropy of two columns of codes `[n]`, in bits."""
    counts = np.unique(first.astype(np.int64) * 256 + second, return_counts=True)[1]
    p = counts / counts.sum()
    return float(-(p * np.log(p)).sum() / math.log(2))
