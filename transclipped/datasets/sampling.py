"""Seeded draws that give the same rows on every machine and for every version of NumPy.

Each item gets a random 64-bit key; a draw takes the items with the smallest keys. Only the raw stream of
PCG64 is used, since NumPy promises that one for good and the methods of `Generator` not. A larger draw with
the same seed contains the smaller one.
"""

from __future__ import annotations

import zlib

import numpy as np


def shuffled(rows: np.ndarray, *, seed: int, purpose: str) -> np.ndarray:
    """Rows `[n]` in random order; draws for different purposes do not depend on each other."""
    return rows[np.argsort(_bits(seed, purpose).random_raw(len(rows)), kind="stable")]


def drawn(rows: np.ndarray, n: int, *, seed: int, purpose: str) -> np.ndarray:
    """At most `n` of the rows, without replacement, sorted."""
    return np.sort(shuffled(rows, seed=seed, purpose=purpose)[:n])


def stratified(rows: np.ndarray, labels: np.ndarray, per_class: int, *, seed: int, purpose: str) -> np.ndarray:
    """At most `per_class` rows of each class, sorted.

    Args:
        rows: `[n]` int64.
        labels: `[n]` int64, the class of each row.
    """
    chosen = [drawn(rows[labels == c], per_class, seed=seed, purpose=f"{purpose} {c}") for c in np.unique(labels)]
    return np.sort(np.concatenate(chosen))


def uniform(shape: tuple[int, ...], *, seed: int, purpose: str) -> np.ndarray:
    """Float64 numbers in [0, 1), filled row by row, so that row i does not depend on how many rows there are."""
    raw = _bits(seed, purpose).random_raw(int(np.prod(shape)))
    return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)  # the upper 53 bits, all that a double can hold


def _bits(seed: int, purpose: str) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))
