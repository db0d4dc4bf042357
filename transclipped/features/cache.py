"""Feature cache: a frozen backbone encodes each view of each image once.

View 0 is the plain image, 1 its mirror image, the rest are augmented; all depend only on (row, view, seed), so a cache
can be filled in any order, by several runs, and resumed after a crash. Each view is a sparse file of float16 `[N, F]`
with a file that marks completed rows:

    features/<data set>-<backbone>-<size>-<key>/view-0.f16, view-0.done.npy, …

Both are changed in place: every process writes the same bytes for a row and its mark, so that no lock is needed and a
suspended process blocks no other. A mark is written after its row is on the disk, and ignored if the row is all zero or
not finite: such a row is encoded again.
"""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from transclipped.datasets.base import ImageSet
from transclipped.datasets.embeddings import Embeddings
from transclipped.datasets.views import render, view_parameters
from transclipped.errors import InputError
from transclipped.features.batch_size import best_batch_size
from transclipped.features.parallel import parallel, single_threaded
from transclipped.models.backbone import Backbone, BackboneInfo, on_stem
from transclipped.models.precision import inference
from transclipped.utils.files import cache_dir, in_place, to_disk
from transclipped.utils.progress import Progress

BATCH = 128  # stored feature maps, or embeddings, per batch
FEW = 16  # photographs per batch at most: decoding is slow, and the first result should come soon
SAVE_EVERY = 5.0  # seconds between two updates of the marks
BLOCK = 1 << 25  # bytes of rows checked at once
INFINITE = 0x7C00  # float16 without its sign, as an integer: from here on infinite or NaN


class FeatureCache:
    """Embeddings of one image set by one backbone, shared by all runs.

    Args:
        images: the images.
        backbone: frozen; a `BackboneInfo` suffices to read the cache, but not to fill it.
        seed: of the augmented views.
        root: folder of all caches, None for `cache_dir()`.
    """

    def __init__(
        self, images: ImageSet, backbone: Backbone | BackboneInfo, *, seed: int = 0, root: Path | None = None
    ) -> None:
        self.images, self.backbone, self.seed, self.root = images, backbone, seed, root
        key = hashlib.sha256(f"{images.fingerprint} {backbone.fingerprint} {backbone.image_size} {seed}".encode())
        name = f"{images.name}-{backbone.name}-{backbone.image_size}-{key.hexdigest()[:12]}".replace("/", "_")
        self.folder = (root or cache_dir()) / "features" / name

    def view(self, view: int) -> np.ndarray:
        """Memory map `[N, F]` float16 of a view; rows not yet encoded are zero."""
        shape = (len(self.images), self.backbone.width)
        try:
            return np.memmap(self._path(view), np.float16, "r", shape=shape)
        except (OSError, ValueError):  # missing, or just created by another process
            return np.broadcast_to(np.float16(0), shape)

    def missing(self, view: int, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` that are not encoded yet, or damaged, sorted; without unreadable images."""
        rows = self.images.readable(np.unique(rows))
        marks = self._done(view)
        done = np.zeros(len(rows), bool) if marks is None else marks[rows]
        features, step = self.view(view), max(1, BLOCK // (2 * self.backbone.width))
        marked = np.flatnonzero(done)
        for start in range(0, len(marked), step):
            part = marked[start : start + step]
            done[part] = _sound(features[rows[part]])
        return rows[~done]

    def fill(self, view: int, rows: np.ndarray, *, device: str = "cpu") -> Iterator[Progress]:
        """Encode the missing ones of `rows`; images that cannot be decoded are added to `images.unreadable`.

        Raises:
            InputError: the disk is full, the images are gone, or an embedding is not finite.
        """
        todo = self.missing(view, rows)
        if not len(todo):
            return
        started = saved = time.monotonic()
        done, unmarked = 0, []
        try:
            for batch, features in self._encoded(view, todo, device):
                if len(bad := batch[~_sound(features)]):
                    raise InputError(
                        f"the embedding of image {self.images.ids[bad[0]]} by {self.backbone.name} is all zero or not "
                        "finite; choose another backbone or other weights, or leave the image out"
                    )
                if len(batch):
                    self._write(view, batch, features)
                unmarked.append(batch)
                done += len(batch)
                if time.monotonic() - saved > SAVE_EVERY:
                    self._mark(view, unmarked)
                    saved = time.monotonic()
                yield Progress(f"encoding view {view}", done, len(todo), time.monotonic() - started)
        finally:
            self._mark(view, unmarked)
        if len(self.missing(view, todo)):
            raise InputError(f"{self.folder} was cleared while it was being filled; start again")

    def _encoded(self, view: int, rows: np.ndarray, device: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """From feature maps of the stem if another model with the same stem has cached them, else from images."""
        if shared := on_stem(self.backbone):
            stem, rest = shared
            maps = FeatureCache(self.images, stem, seed=self.seed, root=self.root)
            if not len(maps.missing(view, rows)):
                return encode_maps(rest, maps.view(view), rows, device=device)
        return encode(self.backbone, self.images, rows, view=view, seed=self.seed, device=device)

    def _path(self, view: int, suffix: str = "f16") -> Path:
        return self.folder / f"view-{view}.{suffix}"

    def _done(self, view: int) -> np.ndarray | None:
        """Marks `[N]` bool; None if the file is missing or damaged."""
        try:
            done = np.load(self._path(view, "done.npy"), allow_pickle=False)
        except (OSError, ValueError, EOFError):  # EOFError for an empty file
            return None
        return done if done.dtype == bool and done.shape == (len(self.images),) else None

    def _write(self, view: int, rows: np.ndarray, features: np.ndarray) -> None:
        # Not through a memory map: on a full disk that would kill the process.
        width = features.shape[1] * features.itemsize
        with in_place(self._path(view), len(self.images) * width) as file:
            for run, block in _consecutive(rows, features):
                file.seek(int(run[0]) * width)
                file.write(block.tobytes())

    def _mark(self, view: int, batches: list[np.ndarray]) -> None:
        """Mark rows as done, after bringing them to the disk."""
        if not batches:
            return
        rows = np.unique(np.concatenate(batches))
        batches.clear()
        path, n = self._path(view, "done.npy"), len(self.images)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|b1", "fortran_order": False, "shape": (n,)})
        header = header.getvalue()
        try:
            if path.exists() and self._done(view) is None:
                path.unlink(missing_ok=True)  # damaged
            to_disk(self._path(view))
        except OSError as error:
            raise InputError(f"cannot write {self._path(view)}: {error.strerror}; start again") from error
        with in_place(path, len(header) + n) as file:
            start = os.fstat(file.fileno()).st_size - n  # other versions of numpy pad the header otherwise
            if start == len(header):
                file.write(header)
            for run, _ in _consecutive(rows, rows):
                file.seek(start + int(run[0]))
                file.write(b"\1" * len(run))


def _sound(features: np.ndarray) -> np.ndarray:
    """Which rows `[n, F]` float16 are finite and not all zero; by bits, much faster than float16 arithmetic."""
    largest = (np.ascontiguousarray(features, np.float16).view(np.uint16) & 0x7FFF).max(axis=1)
    return (largest > 0) & (largest < INFINITE)


def _consecutive(rows: np.ndarray, values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Runs of consecutive rows, with their values."""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    return zip(np.split(rows, breaks), np.split(values, breaks), strict=True)


def encode(
    backbone: Backbone,
    images: ImageSet,
    rows: np.ndarray,
    *,
    view: int = 0,
    seed: int = 0,
    batch: int | None = None,
    device: str = "cpu",
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of rows `[b]` with their embeddings `[b, F]` float16, in order.

    Images that cannot be decoded are left out and added to `images.unreadable`. Each core processes separate batches of
    `batch` images, None for the fastest number on this machine.
    """
    if isinstance(images, Embeddings):  # nothing to encode
        for chunk in _chunks(rows, batch or BATCH):
            yield chunk, images.features(chunk, view=view, seed=seed)
        return
    parameters = view_parameters(len(images), view=view, seed=seed) if view else None
    backbone = backbone.to(device).eval()
    rows = images.readable(rows)

    def embed(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chunk, pixels = images.decoded(chunk, backbone.image_size, framed=backbone.framed)
        if not len(chunk):
            return chunk, np.zeros((0, backbone.width), np.float16)
        part = None if parameters is None else parameters[chunk]
        with inference(torch.device(device)):
            size, mean, std = backbone.image_size, backbone.mean, backbone.std
            x = render(pixels.to(device), part, size=size, mean=mean, std=std)  # [b, 3, S, S]
            return chunk, backbone(x).half().cpu().numpy()

    if len(rows) <= FEW:  # not worth a thread
        yield from (embed(chunk) for chunk in _chunks(rows, batch or FEW))
        return
    if batch is None:
        batch = single_threaded(lambda: best_batch_size(backbone, device, images=len(rows)))
        batch = batch if images.native_size else min(batch, FEW)
    yield from parallel(embed, _chunks(rows, batch), device=device)


def gather(batches: Iterable[tuple[np.ndarray, np.ndarray]], *, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate the batches of `encode`: rows `[n]` and embeddings `[n, F]`."""
    parts = [*batches, (np.empty(0, np.int64), np.empty((0, width), np.float16))]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def encode_maps(
    rest: nn.Module, maps: np.ndarray, rows: np.ndarray, *, batch: int = BATCH, device: str = "cpu"
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of rows `[b]` with their embeddings `[b, F]` float16, from stored maps `[N, 112 · h · w]` of the stem."""
    rest = rest.to(device).eval()
    for chunk in _chunks(rows, batch):
        with inference(torch.device(device)):
            yield chunk, rest(torch.from_numpy(maps[chunk]).to(device)).half().cpu().numpy()


def _chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]
