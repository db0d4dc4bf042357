"""Feature cache: a frozen backbone looks at each view of each image once.

View 0 is the plain image, 1 its mirror image, the rest are augmented; all follow from (row, view, seed)
alone, so a cache can be filled in any order, by several runs, and go on after a crash. Each view is a file
of float16 `[N, F]` that starts as a hole, beside a file that marks the rows which are done:

    features/<data set>-<backbone>-<size>-<key>/view-0.f16, view-0.done.npy, …

Both are changed in place: whoever writes a row or its mark writes the same bytes there, so that two processes at once
need no lock, and a suspended one blocks no other. A mark follows when its row is on the disk, and is not believed
where the row is all zero or not finite: that row is lost, and encoded again.
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
from transclipped.features.batch_size import chosen_batch
from transclipped.features.parallel import on_one_core, side_by_side
from transclipped.models.backbone import Backbone, BackboneInfo, on_stem
from transclipped.models.precision import inference
from transclipped.utils.files import cache_dir, in_place, to_disk
from transclipped.utils.progress import Progress

BATCH = 128  # stored maps, or embeddings, that are taken at once
FEW = 16  # photographs a batch at most: they take long to decode, and the first should be there soon
SAVE_EVERY = 5.0  # seconds between two marks of what is done
BLOCK = 1 << 25  # bytes of rows that are checked at once
INFINITE = 0x7C00  # float16 without its sign, as a whole number: from here on infinite or NaN


class FeatureCache:
    """Embeddings of one image set by one backbone, shared by all runs.

    Args:
        images: the images.
        backbone: frozen; what is known of it suffices to look into the cache, but not to fill it.
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
            return np.memmap(self._features(view), np.float16, "r", shape=shape)
        except (OSError, ValueError):  # none yet, or shorter: created a moment ago
            return np.broadcast_to(np.float16(0), shape)

    def missing(self, view: int, rows: np.ndarray) -> np.ndarray:
        """Those of `rows` to be encoded, or again since they are damaged, sorted; without unreadable images."""
        rows = self.images.readable(np.unique(rows))
        done = self._done(view)[rows]
        features, step = self.view(view), max(1, BLOCK // (2 * self.backbone.width))
        marked = np.flatnonzero(done)
        for start in range(0, len(marked), step):
            part = marked[start : start + step]
            done[part] = _sound(features[rows[part]])
        return rows[~done]

    def fill(self, view: int, rows: np.ndarray, *, device: str = "cpu") -> Iterator[Progress]:
        """Encode what is missing of `rows`, telling how far it is. Images that cannot be decoded join
        `images.unreadable`, and their rows stay zero.

        Raises:
            InputError: the disk is full, the images are gone, or the backbone gives no finite embedding of one.
        """
        todo = self.missing(view, rows)
        if not len(todo):
            return
        started = saved = time.monotonic()
        done = 0
        fresh: list[np.ndarray] = []
        try:
            for batch, features in self._encoded(view, todo, device):
                self._check(batch, features)
                if len(batch):
                    self._write(view, batch, features)
                fresh.append(batch)
                done += len(batch)
                if time.monotonic() - saved > SAVE_EVERY:
                    self._mark(view, fresh)
                    saved = time.monotonic()
                yield Progress(f"encoding view {view}", done, len(todo), time.monotonic() - started)
        finally:
            self._mark(view, fresh)
        if len(self.missing(view, todo)):
            raise InputError(f"{self.folder} was cleared while it was being filled; start again")

    def _check(self, rows: np.ndarray, features: np.ndarray) -> None:
        """Stop at an embedding that no search could use, before it spoils a model."""
        if len(bad := rows[~_sound(features)]):
            raise InputError(
                f"{self.backbone.name} gives image {self.images.ids[bad[0]]} an embedding that is all zero or not "
                "finite; choose another backbone or other weights, or leave the image out"
            )

    def _encoded(self, view: int, rows: np.ndarray, device: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """From the stem's feature maps where another model over the same stem has stored them, else from images."""
        if shared := on_stem(self.backbone):
            stem, rest = shared
            maps = FeatureCache(self.images, stem, seed=self.seed, root=self.root)
            if not len(maps.missing(view, rows)):
                return encode_maps(rest, maps.view(view), rows, device=device)
        return encode(self.backbone, self.images, rows, view=view, seed=self.seed, device=device)

    def _features(self, view: int) -> Path:
        return self.folder / f"view-{view}.f16"

    def _marks(self, view: int) -> Path:
        return self.folder / f"view-{view}.done.npy"

    def _done(self, view: int) -> np.ndarray:
        """Marks `[N]` bool; none where the file is missing or damaged."""
        done = self._stored_marks(view)
        return np.zeros(len(self.images), bool) if done is None else done

    def _stored_marks(self, view: int) -> np.ndarray | None:
        try:
            done = np.load(self._marks(view), allow_pickle=False)
        except (OSError, ValueError, EOFError):  # the last for an empty file
            return None
        return done if done.dtype == bool and done.shape == (len(self.images),) else None

    def _write(self, view: int, rows: np.ndarray, features: np.ndarray) -> None:
        # Plain writes, since a full disk under a memory map kills the process.
        width = features.shape[1] * features.itemsize
        with in_place(self._features(view), len(self.images) * width) as file:
            for run, block in _consecutive(rows, features):
                file.seek(int(run[0]) * width)
                file.write(block.tobytes())

    def _mark(self, view: int, batches: list[np.ndarray]) -> None:
        """Mark rows as done, once they are on the disk."""
        if not batches:
            return
        rows = np.unique(np.concatenate(batches))
        batches.clear()
        path, n = self._marks(view), len(self.images)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|b1", "fortran_order": False, "shape": (n,)})
        header = header.getvalue()
        try:
            if path.exists() and self._stored_marks(view) is None:
                path.unlink(missing_ok=True)  # damaged
            to_disk(self._features(view))
        except OSError as error:
            raise InputError(f"cannot write {self._features(view)}: {error.strerror}; start again") from error
        with in_place(path, len(header) + n) as file:
            start = os.fstat(file.fileno()).st_size - n  # other versions of numpy pad the header otherwise
            if start == len(header):
                file.write(header)
            for run, _ in _consecutive(rows, rows):
                file.seek(start + int(run[0]))
                file.write(b"\1" * len(run))


def _sound(features: np.ndarray) -> np.ndarray:
    """Which rows `[n, F]` float16 hold finite numbers, and not zeros alone; `[n]` bool.

    The bits tell, several times faster than arithmetic on float16 would.
    """
    largest = (np.ascontiguousarray(features, np.float16).view(np.uint16) & 0x7FFF).max(axis=1)
    return (largest > 0) & (largest < INFINITE)


def _consecutive(rows: np.ndarray, values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Runs of neighbouring rows, with the values of each."""
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

    Images that cannot be decoded are left out, and join `images.unreadable`.

    Batches are decoded and encoded side by side, one a core; memory is bounded by them.

    Args:
        batch: images a forward pass, None for what is fastest on this machine.
    """
    if isinstance(images, Embeddings):  # made elsewhere: nothing to look at
        for chunk in _chunks(rows, batch or BATCH):
            yield chunk, images.features(chunk, view=view, seed=seed)
        return
    parameters = view_parameters(len(images), view=view, seed=seed) if view else None
    backbone = backbone.to(device).eval()

    rows = images.readable(rows)

    def embedded(chunk: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        chunk, pixels = images.decoded(chunk, backbone.image_size)
        if not len(chunk):
            return chunk, np.zeros((0, backbone.width), np.float16)
        part = None if parameters is None else parameters[chunk]
        return chunk, _embed(backbone, pixels.to(device), part).cpu().numpy()

    if len(rows) <= FEW:  # not worth a thread
        yield from (embedded(chunk) for chunk in _chunks(rows, batch or FEW))
        return
    if batch is None:
        batch = on_one_core(lambda: chosen_batch(backbone, device, images=len(rows)))
        batch = batch if images.native_size else min(batch, FEW)
    yield from side_by_side(embedded, _chunks(rows, batch), device=device)


def gather(batches: Iterable[tuple[np.ndarray, np.ndarray]], *, width: int) -> tuple[np.ndarray, np.ndarray]:
    """All batches of `encode` as one: rows `[n]` and embeddings `[n, F]`."""
    parts = [*batches, (np.empty(0, np.int64), np.empty((0, width), np.float16))]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def encode_maps(
    rest: nn.Module, maps: np.ndarray, rows: np.ndarray, *, batch: int = BATCH, device: str = "cpu"
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches of rows `[b]` with their embeddings `[b, F]` float16, from stored maps `[N, 112 · h · w]` of the stem."""
    rest = rest.to(device).eval()
    for start in range(0, len(rows), batch):
        chunk = rows[start : start + batch]
        with inference(torch.device(device)):
            yield chunk, rest(torch.from_numpy(maps[chunk]).to(device)).half().cpu().numpy()


def _chunks(rows: np.ndarray, size: int) -> list[np.ndarray]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _embed(backbone: Backbone, pixels: torch.Tensor, parameters: np.ndarray | None) -> torch.Tensor:
    with inference(pixels.device):
        images = render(
            pixels, parameters, size=backbone.image_size, mean=backbone.mean, std=backbone.std
        )  # [b, 3, S, S]
        return backbone(images).half()
