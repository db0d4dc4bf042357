"""retrieval.npz: the arrays that search and measurement need, checked on reading."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from transclipped.errors import InputError
from transclipped.utils.arrays import load_arrays
from transclipped.utils.files import replacing

REMEDY = "run `evaluate` on this run to recreate it"  # of a damaged retrieval.npz
BLOCK = 1 << 20  # numbers checked at once, as float32: NumPy compares float16 slowly
LARGEST = 1e6  # of a stored number; those of a unit sub-vector are at most 1


@dataclass(frozen=True)
class Retrieval:
    """Content of retrieval.npz: what search and measurement need.

    codebooks `[M, K, d]` f32 · codes `[N, M]` u8 · database_ids `[N]` · queries `[Q, D]` f16 · query_ids `[Q]` ·
    database_labels, query_labels `[N]`, `[Q]` or `[N, L]`, `[Q, L]`, None without labels.
    """

    codebooks: np.ndarray
    codes: np.ndarray
    database_ids: np.ndarray
    queries: np.ndarray
    query_ids: np.ndarray
    database_labels: np.ndarray | None = None
    query_labels: np.ndarray | None = None

    def save(self, path: Path) -> None:
        """Write compressed, atomically."""
        arrays = {name: value for name, value in vars(self).items() if value is not None}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path, *, classes: int | None = None, most_bytes: int | None = None) -> "Retrieval":
        """Read and check the file at `path`.

        Args:
            classes: number of classes of the labels, None for any.
            most_bytes: limit for all arrays together, None for none.

        Raises:
            InputError: it is missing, damaged, its shapes disagree, or its numbers are not finite.
        """
        arrays = load_arrays(path, remedy=REMEDY, most_bytes=most_bytes)
        names = {field.name for field in fields(cls)}
        needed = names - {"database_labels", "query_labels"}
        if not needed <= arrays.keys() <= names:
            wrong = ", ".join(sorted(needed - arrays.keys() or arrays.keys() - names))[:200]
            raise InputError(f"{path} is damaged (missing or unexpected: {wrong}); {REMEDY}")
        loaded = cls(**arrays)
        if not loaded._fits():
            raise InputError(f"{path} holds arrays that do not fit together; {REMEDY}")
        for side in ("database", "query"):
            labels, n = getattr(loaded, f"{side}_labels"), len(getattr(loaded, f"{side}_ids"))
            if labels is not None and not _labels_fit(labels, n, classes):
                of = "" if classes is None else f" of {classes} classes"
                raise InputError(f"{path} holds {side}_labels that do not fit together with {n} images{of}; {REMEDY}")
        if not all(_are_small(a) for a in (loaded.codebooks, loaded.queries)):
            raise InputError(f"{path} holds numbers that are not finite, or far too large; {REMEDY}")
        return loaded

    def _fits(self) -> bool:
        if self.codebooks.ndim != 3 or not all(a.ndim for a in (self.codes, self.queries)):
            return False
        if not _are_ids(self.database_ids) or not _are_ids(self.query_ids):
            return False
        m, k, d = self.codebooks.shape
        return (
            m * k * d > 0
            and self.codes.dtype == np.uint8
            and self.codes.shape == (len(self.database_ids), m)
            and self.queries.shape == (len(self.query_ids), m * d)
            and (not self.codes.size or self.codes.max() < k)
        )


def _are_ids(ids: np.ndarray) -> bool:
    return ids.ndim == 1 and ids.dtype.kind in "iuU"


def _are_small(numbers: np.ndarray) -> bool:
    """Whether all are finite, and small enough that no sum of their products overflows."""
    if numbers.dtype.kind != "f":
        return False
    flat = numbers.reshape(-1)
    parts = (flat[start : start + BLOCK].astype(np.float32) for start in range(0, flat.size, BLOCK))
    return all(part.min() >= -LARGEST and part.max() <= LARGEST for part in parts)  # NaN is neither


def _labels_fit(labels: np.ndarray, n: int, classes: int | None) -> bool:
    """Whether labels are a class of each of `n` items, −1 for none, or rows of marks, 0 or 1."""
    if labels.ndim not in (1, 2) or len(labels) != n or labels.dtype.kind not in "iub":
        return False
    low, high = (0, 1) if labels.ndim == 2 else (-1, (classes or 2**31) - 1)
    named = labels.ndim == 1 or classes is None or labels.shape[1] == classes
    return named and (not labels.size or bool(low <= labels.min() and labels.max() <= high))
