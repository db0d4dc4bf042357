"""Seeded sampling, reproducible on every machine and with every version of NumPy.

Each item gets a random 64-bit key; a sample takes the items with the smallest keys. Only the raw stream of PCG64 is
used, which NumPy guarantees, unlike the methods of `Generator`. A larger sample with the same seed contains the
smaller one.
"""

from __future__ import annotations

import zlib

import numpy as np


def shuffled(rows: np.ndarray, *, seed: int, purpose: str) -> np.ndarray:
    """Rows `[n]` in random order, independent for different purposes."""
    return rows[np.argsort(_bits(seed, purpose).random_raw(len(rows)), kind="stable")]


def sample(rows: np.ndarray, n: int, *, seed: int, purpose: str) -> np.ndarray:
    """At most `n` of the rows, without replacement, sorted."""
    return np.sort(shuffled(rows, seed=seed, purpose=purpose)[:n])


def stratified(rows: np.ndarray, labels: np.ndarray, per_class: int, *, seed: int, purpose: str) -> np.ndarray:
    """At most `per_class` rows `[n]` of each class in `labels` `[n]`, sorted."""
    parts = [sample(rows[labels == c], per_class, seed=seed, purpose=f"{purpose} {c}") for c in np.unique(labels)]
    return np.sort(np.concatenate(parts))


def uniform(shape: tuple[int, ...], *, seed: int, purpose: str) -> np.ndarray:
    """Float64 numbers in [0, 1), filled row by row, so that row i does not depend on the number of rows."""
    raw = _bits(seed, purpose).random_raw(int(np.prod(shape)))
    return ((raw >> np.uint64(11)) * 2.0**-53).reshape(shape)  # the upper 53 bits, the precision of a double


def _bits(seed: int, purpose: str) -> np.random.PCG64:
    return np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]))
