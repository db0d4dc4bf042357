"""Existing embeddings as a data set: no images and no backbone, but all later steps.

Features go straight to the head (backbone `identity`), scaled to length √F, since only their direction counts. If
their mean is far from zero, all directions are similar; then the mean is subtracted first, as before k-means, and
stored with the run, which subtracts it from everything that it encodes later.

Contrastive training needs views: view 0 is plain, the others drop numbers at random, as dropout makes the two views of
a sentence in SimCSE. Pages show the numbers instead of an image, as a square of cells: blue above zero, orange below.

Source of the views: Gao, Yao, Chen 2021, "SimCSE", arXiv 2104.08821.
"""

from __future__ import annotations

import copy
import math
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import ImageSet, fingerprint
from transclipped.datasets.images.decode import to_png
from transclipped.datasets.labels.embeddings_file import read
from transclipped.datasets.labels.files import recognise
from transclipped.errors import InputError

if TYPE_CHECKING:
    import torch

DROPPED = 0.5  # share of the numbers that a view drops
FAR = 0.5  # mean cosine of two rows above which they are centred
BLOCK = 65_536  # rows per step
MAX_K = 1000  # K of mAP@K, unless the database is smaller
ABOVE, BELOW = np.array([31, 119, 180]), np.array([230, 126, 34])  # colours of cells; 0 is white


class Embeddings(ImageSet):
    """Rows of numbers instead of images. `default_size` is F, the width of the backbone `identity`.

    Args:
        embeddings: `[n, F]` floating point, finite, no row all zero.
        centre: `[F]`, subtracted from each row, or None.
    """

    def __init__(self, *, embeddings: np.ndarray, centre: np.ndarray | None = None, **rest: object) -> None:
        super().__init__(default_size=embeddings.shape[1], **rest)
        self._embeddings, self.centre, self._content = embeddings, centre, self.fingerprint
        self._set_centre(centre)

    def centred(self, centre: np.ndarray | None) -> Embeddings:
        """The same embeddings with another centre, such as that of a run, or None; InputError for another width."""
        if centre is not None and len(centre) != self._embeddings.shape[1]:
            raise InputError(
                f"the run was trained on embeddings of {len(centre)} numbers, these have {self._embeddings.shape[1]}; "
                "use embeddings of the same model"
            )
        other = copy.copy(self)
        other._set_centre(centre)
        return other

    def _set_centre(self, centre: np.ndarray | None) -> None:
        self.centre = None if centre is None else np.asarray(centre, np.float64)
        self.fingerprint = self._content
        if self.centre is not None:
            self.fingerprint = fingerprint(self._content.encode(), self.centre.tobytes())

    def features(self, rows: np.ndarray, *, view: int = 0, seed: int = 0) -> np.ndarray:
        """`[b, F]` float16 of length √F; a row does not depend on the others."""
        x = np.asarray(self._embeddings[rows], np.float64)
        if self.centre is not None:
            shifted = x - self.centre
            x = np.where(shifted.any(axis=1, keepdims=True), shifted, x)  # the centre itself keeps its direction
        if view:
            x = x * _mask(rows, x.shape[1], view=view, seed=seed)
        for order in (np.inf, 2):  # first by the maximum, so that squares neither overflow nor vanish
            length = np.linalg.norm(x, order, axis=1, keepdims=True)
            x = x / np.where(length > 0, length, 1)
        return (x * math.sqrt(x.shape[1])).astype(np.float16)

    def pixels(self, rows: np.ndarray, size: int, *, framed: bool = False) -> torch.Tensor:
        raise InputError(f"{self.name} holds numbers and no images; choose the backbone identity, frozen")

    def image(self, row: int) -> Image.Image:
        x = self.features(np.array([row]))[0].astype(np.float64)
        side = math.ceil(math.sqrt(len(x)))
        cells = np.zeros(side * side)
        cells[: len(x)] = np.clip(x / 2, -1, 1)  # numbers of a row have mean square 1
        colour = np.where(cells[:, None] > 0, ABOVE, BELOW)
        pixels = 255 + np.abs(cells)[:, None] * (colour - 255)
        return Image.fromarray(pixels.round().astype(np.uint8).reshape(side, side, 3))

    def encoded(self, row: int) -> bytes:
        return to_png(self.image(row))


def load(config: DataConfig) -> Embeddings:
    """The embeddings in the file `config.data`, with labels from there or from `config.labels`."""
    if config.data is None:
        raise InputError("data set 'embeddings' needs a .npy, .npz or .parquet file; name it with --data")
    path = Path(config.data).expanduser().resolve()
    content = read(path)
    labels, names, skipped = content.labels, content.class_names, []
    if config.labels is not None:
        file = recognise(Path(config.labels).expanduser(), content.ids)
        labels, names = file.labels, file.class_names
        skipped = [(name, "has a label, but no embedding") for name in file.unknown]
    n = len(content.ids)
    images = Embeddings(
        embeddings=content.embeddings,
        centre=centre_of(content.embeddings),
        name="embeddings",
        ids=content.ids,
        labels=labels,
        class_names=names,
        fingerprint=content.digest,
        default_k=MAX_K,
        skipped=skipped,
    )
    images.default_k = min(MAX_K, n - max(1, round(int(images.labelled.sum()) / 10)))
    return images


def centre_of(embeddings: np.ndarray) -> np.ndarray | None:
    """Mean `[F]` float64 of embeddings `[n, F]` if it is far from zero, else None."""
    blocks = [slice(start, start + BLOCK) for start in range(0, len(embeddings), BLOCK)]
    largest = max(float(np.abs(embeddings[block]).max()) for block in blocks)  # its square may exceed float64
    total, square = np.zeros(embeddings.shape[1]), 0.0
    for block in blocks:
        x = embeddings[block].astype(np.float64) / largest
        total += x.sum(axis=0)
        square += float((x * x).sum())
    mean = total / len(embeddings)
    return mean * largest if mean @ mean > FAR * square / len(embeddings) else None


def _mask(rows: np.ndarray, width: int, *, view: int, seed: int) -> np.ndarray:
    """`[b, F]` bool: numbers that a view keeps, at least one; row i depends only on (i, view, seed)."""
    bits = np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(f"dropped {view}".encode())]))
    start = bits.state
    mask = np.empty((len(rows), width), bool)
    for i, row in enumerate(rows):
        bits.state = start
        bits.advance(int(row) * width)
        mask[i] = bits.random_raw(width) >= np.uint64(DROPPED * 2**64)
    mask[~mask.any(axis=1), 0] = True
    return mask
