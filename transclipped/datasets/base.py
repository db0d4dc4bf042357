"""The interface of all image sets: ids, labels, encoded bytes, pixels, and the roles of a protocol.

A data set is a subclass of `ImageSet` that reads the bytes of an image and, if it has its own protocol, assigns the
roles; `registry.py` gives it a name.
"""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image

from transclipped.datasets.images.decode import Unusable, frame, open_image, square, to_png
from transclipped.datasets.labels.names import Names
from transclipped.datasets.sampling import sample
from transclipped.errors import InputError
from transclipped.utils import measured
from transclipped.utils.files import cache_dir, read_object

if TYPE_CHECKING:  # importing torch takes seconds, and pages that show images do not need it
    import torch

DECODERS = min(8, os.cpu_count() or 1)  # threads; Pillow and libjpeg release the GIL while they decode
UNLABELLED = -1  # class of an image without a label in a set with labels


class Roles(NamedTuple):
    """Rows `[n]` int64, sorted: training images, queries and database of a protocol."""

    train: np.ndarray
    query: np.ndarray
    database: np.ndarray


class ImageSet(ABC):
    """Images with ids and, optionally, labels.

    Attributes:
        name: such as "cifar10".
        ids: `[n]` int64 rows, or relative POSIX paths as str.
        labels: `[n]` int64 class, `UNLABELLED` for none; or `[n, L]` uint8; or None.
        class_names: `()` without labels.
        fingerprint: 16 hex digits of the content.
        native_size: side in pixels if all images are squares of one size, else None.
        default_k: K of mAP@K.
        default_size: side in pixels of the input of the bundled backbones.
        skipped: (id, reason) of files that cannot be used.
        protocols: names, the default first; in `labelled_protocols` the training rows depend on labels.
    """

    protocols: tuple[str, ...] = ("default",)
    labelled_protocols: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        name: str,
        ids: np.ndarray,
        labels: np.ndarray | None,
        class_names: Sequence[str],
        fingerprint: str,
        default_k: int,
        default_size: int = 160,
        native_size: int | None = None,
        skipped: Iterable[tuple[str, str]] = (),
    ) -> None:
        if labels is not None and len(labels) != len(ids):
            raise ValueError(f"{len(ids)} ids but {len(labels)} labels")
        self.name, self.ids, self.labels, self.class_names = name, ids, labels, tuple(class_names)
        self.fingerprint, self.default_k, self.default_size = fingerprint, default_k, default_size
        self.native_size, self.skipped = native_size, list(skipped)

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def label_kind(self) -> str:
        """`single`, `multi` or `none`."""
        if self.labels is None:
            return "none"
        return "single" if self.labels.ndim == 1 else "multi"

    @cached_property
    def labelled(self) -> np.ndarray:
        """`[n]` bool: can be a query. All True in a set without labels."""
        if self.labels is None:
            return np.ones(len(self), bool)
        return self.labels != UNLABELLED if self.labels.ndim == 1 else self.labels.any(axis=1)

    @cached_property
    def _names(self) -> Names:
        return Names(self.ids.tolist())

    def find(self, identity: object) -> int | None:
        """Row of an id, which may be written as text or in another Unicode form; None if no image has it."""
        return self._names.find(identity)

    def row_of(self, identity: object) -> int:
        """Row of an id, as `find`, but InputError if no image has it."""
        if (row := self.find(identity)) is None:
            raise InputError(f"image {identity} is no longer in {self.name}; put it back, or train a new run")
        return row

    def rows_of(self, ids: Iterable[object]) -> np.ndarray:
        """Rows `[n]` int64 of n ids, as `row_of`."""
        return np.array([self.row_of(identity) for identity in ids], np.int64)

    @abstractmethod
    def encoded(self, row: int) -> bytes:
        """PNG, JPEG, WebP or GIF bytes, for a browser."""

    def image(self, row: int) -> Image.Image:
        """RGB, upright."""
        return open_image(self.encoded(row), name=f"{self.name} image {self.ids[row]}")

    def preview(self, row: int, *, side: int = 256) -> Image.Image:
        """RGB, upright, for display: the shorter side may be reduced, but not below `side` pixels."""
        return self.image(row)

    def pixels(self, rows: np.ndarray, size: int, *, framed: bool = False) -> torch.Tensor:
        """Pixels `[B, 3, s, s]` uint8: s is `native_size`, else the centre square resized to `size`.

        With `framed`, images without a native size are not resized, but padded with zeros or cut to `size` around
        their centre.
        """
        fit = self._framed if framed else self._square
        with ThreadPoolExecutor(DECODERS) as pool:
            squares = pool.map(lambda row: np.asarray(fit(int(row), size)), rows)
            return _stacked(list(squares), size)

    def decoded(self, rows: np.ndarray, size: int, *, framed: bool = False) -> tuple[np.ndarray, torch.Tensor]:
        """The readable ones of `rows`, with their `pixels`; the others are added to `unreadable`.

        InputError if the whole folder is gone.
        """
        rows, options = self.readable(rows), {"framed": True} if framed else {}
        try:
            return rows, self.pixels(rows, size, **options)
        except Unusable:  # rare, so each image is tried alone
            for row in rows:
                self._try_to_decode(int(row), size)
            rows = self.readable(rows)
            return rows, self.pixels(rows, size, **options)

    @cached_property
    def unreadable(self) -> dict[int, str]:
        """Why images cannot be decoded, by row; kept in the cache by the fingerprint, so for exactly these files.

        Headers and checksums can be right where pixels are not, which shows only when an image is decoded.
        """
        if not (reasons := read_object(self._unreadable_file())):
            return {}
        names = enumerate(map(str, self.ids.tolist()))
        return {row: reasons[name] for row, name in names if isinstance(reasons.get(name), str)}

    def _unreadable_file(self) -> Path:
        return cache_dir() / "unreadable" / f"{self.fingerprint}.json"

    def readable(self, rows: np.ndarray) -> np.ndarray:
        """`rows` without those of `unreadable`."""
        return np.asarray(rows)[~np.isin(rows, list(self.unreadable))] if self.unreadable else rows

    @property
    def unusable(self) -> list[tuple[str, str]]:
        """(id, reason) of everything that is left out: `skipped` and `unreadable`."""
        return [*self.skipped, *((str(self.ids[row]), reason) for row, reason in sorted(self.unreadable.items()))]

    def _try_to_decode(self, row: int, size: int) -> None:
        """Add an image that cannot be decoded to `unreadable`."""
        try:
            self.pixels(np.array([row]), size)
        except Unusable as error:
            self.unreadable[row] = error.reason
            if error.lasting:
                measured.remember(self._unreadable_file(), str(self.ids[row]), error.reason)

    def roles(self, protocol: str, *, seed: int) -> Roles:
        """A tenth of the labelled images are queries; the others are the database and train."""
        candidates = np.flatnonzero(self.labelled)
        query = sample(candidates, max(1, round(len(candidates) / 10)), seed=seed, purpose="query")
        database = np.setdiff1d(np.arange(len(self)), query)
        return Roles(database, query, database)

    def _square(self, row: int, size: int) -> Image.Image:
        return square(self.image(row), size)

    def _framed(self, row: int, size: int) -> Image.Image:
        return frame(self.image(row), size)


class EncodedSet(ImageSet):
    """Images as encoded files in memory: `files` is `[n]` binary, such as a column of a parquet file."""

    def __init__(self, *, files: pa.Array | pa.ChunkedArray, **rest: object) -> None:
        super().__init__(**rest)
        self._files = files

    def encoded(self, row: int) -> bytes:
        return self._files[int(row)].as_py()

    def pixels(self, rows: np.ndarray, size: int, *, framed: bool = False) -> torch.Tensor:
        if self.native_size is None:
            return super().pixels(rows, size, framed=framed)
        if "all_pixels" in self.__dict__:  # decoded already
            return self.all_pixels[np.asarray(rows, np.int64)]
        return self._decoded(rows)

    @cached_property
    def all_pixels(self) -> torch.Tensor:
        """All images `[n, 3, s, s]` uint8, decoded once and kept (184 MB for CIFAR-10). Needs a native size."""
        return self._decoded(np.arange(len(self)))

    def _decoded(self, rows: np.ndarray) -> torch.Tensor:
        # Without threads: decoding 32 × 32 pixels takes less time than handing them to one.
        return _stacked([np.asarray(self.image(row)) for row in rows], self.native_size)


class ArraySet(ImageSet):
    """Images as pixels `[n, 3, s, s]` uint8 in memory."""

    def __init__(self, *, pixels: np.ndarray, **rest: object) -> None:
        super().__init__(native_size=pixels.shape[-1], **rest)
        self._pixels = pixels

    def encoded(self, row: int) -> bytes:
        return to_png(self.image(row))

    def image(self, row: int) -> Image.Image:
        return Image.fromarray(np.ascontiguousarray(self._pixels[int(row)].transpose(1, 2, 0)))

    def pixels(self, rows: np.ndarray, size: int, *, framed: bool = False) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.ascontiguousarray(self._pixels[np.asarray(rows, np.int64)]))


def check_readable(images: ImageSet, rows: np.ndarray) -> None:
    """InputError if some of the rows are known not to be decodable."""
    if damaged := len(rows) - len(images.readable(rows)):
        raise InputError(f"{damaged} images of {images.name} cannot be decoded; start again, and they are left out")


def fingerprint(*parts: bytes | memoryview) -> str:
    """16 hex digits of SHA-256."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def read_parquet(path: os.PathLike, *, rows: int, classes: int) -> tuple[pa.ChunkedArray, np.ndarray, bytes]:
    """Images (binary), labels `[rows]` int64 and raw bytes of a bundled file, `img` = {bytes, path} and `label`."""
    import pyarrow.parquet as pq

    remedy = "restore it from the project's repository"
    try:
        with open(path, "rb") as file:
            raw = file.read()
        # Not read_table or to_numpy: they import pandas, which takes as long as reading the file.
        table = pq.ParquetFile(pa.BufferReader(raw)).read(columns=["img", "label"])
        files, labels = table["img"].combine_chunks().field("bytes"), np.array(table["label"].to_pylist(), np.int64)
    except OSError as error:  # pyarrow's own errors are OSError or ValueError
        raise InputError(f"cannot read {path}: {error.strerror or error}; {remedy}") from error
    except (ValueError, KeyError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{path} is not the bundled file of images ({why}); {remedy}") from error
    if len(labels) != rows or labels.min() < 0 or labels.max() >= classes or files.null_count:
        raise InputError(f"{path} must hold {rows:,} images of {classes} classes, but has {len(labels):,}; {remedy}")
    return files, labels, raw


def _stacked(images: list[np.ndarray], size: int) -> torch.Tensor:
    import torch

    if not images:
        return torch.zeros(0, 3, size, size, dtype=torch.uint8)
    # With NumPy: torch would start its own threads for each decoding thread, beside those of the network.
    return torch.from_numpy(np.ascontiguousarray(np.stack(images).transpose(0, 3, 1, 2)))
