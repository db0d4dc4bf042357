"""The light of a data set's images, computed once: `light/<key>.npy` in the cache, NaN where it is not known yet."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

import numpy as np
import torch

from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, replacing

WIDTH = 18  # numbers of an image
BATCH = 64  # images at once
OFTEN = 5.0  # seconds after which a computation is saved, so that an interrupted one continues there


class Images(Protocol):
    """What is read of an image set.

    Attributes:
        fingerprint: of its content.
    """

    fingerprint: str

    def __len__(self) -> int: ...

    def readable(self, rows: np.ndarray) -> np.ndarray:
        """Rows without those that cannot be decoded."""

    def decoded(self, rows: np.ndarray, size: int) -> tuple[np.ndarray, torch.Tensor]:
        """The rows that can be decoded, and their pixels `[B, 3, s, s]` uint8."""


class LightCache:
    """Vectors of all images of a set.

    Args:
        key: of everything else that they depend on.
        compute: vectors `[B, 18]` of pixels `[B, H, W, 3]` uint8 and their rows.
    """

    def __init__(
        self, images: Images, key: str, size: int, compute: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> None:
        self.images, self.size, self.compute = images, size, compute
        name = hashlib.sha256(f"{images.fingerprint} {len(images)} {key}".encode()).hexdigest()[:24]
        self.path = cache_dir() / "light" / f"{name}.npy"
        self.values = self._stored()

    def fill(self, rows: np.ndarray) -> Iterator[tuple[int, int]]:
        """Compute what is missing; gives how many images are done, and of how many. Unreadable ones stay NaN."""
        rows = self.images.readable(np.asarray(rows))
        missing = rows[np.isnan(self.values[rows, 0])]
        saved = time.monotonic()
        try:
            for start in range(0, len(missing), BATCH):
                chunk, pixels = self.images.decoded(missing[start : start + BATCH], self.size)
                if len(chunk):
                    self.values[chunk] = self.compute(pixels.permute(0, 2, 3, 1).numpy(), chunk)
                if time.monotonic() - saved > OFTEN:
                    self._save()
                    saved = time.monotonic()
                yield min(start + BATCH, len(missing)), len(missing)
        finally:
            if len(missing):
                self._save()

    def _stored(self) -> np.ndarray:
        with suppress(OSError, ValueError, EOFError):
            values = np.load(self.path, allow_pickle=False)
            if values.dtype == np.float32 and values.shape == (len(self.images), WIDTH):
                return values
        return np.full((len(self.images), WIDTH), np.nan, np.float32)

    def _save(self) -> None:
        gaps, stored = np.isnan(self.values[:, 0]), self._stored()  # another process may have filled some
        self.values[gaps] = stored[gaps]
        with suppress(InputError), replacing(self.path, durable=False) as temporary, temporary.open("wb") as file:
            np.save(file, self.values)  # without space, the next visit computes it again
