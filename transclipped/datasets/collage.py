"""Collages: two Caltech-101 photographs side by side, with the labels of both.

A small multi-label set without a download. Queries consist of query photographs and the database of database
photographs, so no photograph is in both.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets import caltech101
from transclipped.datasets.base import ImageSet, Roles, fingerprint
from transclipped.datasets.images.decode import to_png
from transclipped.datasets.sampling import shuffled, uniform

N_DATABASE, N_QUERY = 2020, 505
SIDE = 160  # pixels; each half is 80 × 160


class Collage(ImageSet):
    """Rows 0–2,019 are the database, 2,020–2,524 the queries.

    Args:
        photographs: source of the halves.
        halves: `[n, 2]` int64, rows of the left and the right photograph.
    """

    def __init__(self, *, photographs: ImageSet, halves: np.ndarray, **rest: object) -> None:
        super().__init__(**rest)
        self.halves = halves
        self._half = lru_cache(maxsize=256)(lambda row: _portrait(photographs.image(row)))

    def encoded(self, row: int) -> bytes:
        return to_png(self.image(row))

    def image(self, row: int) -> Image.Image:
        canvas = Image.new("RGB", (SIDE, SIDE))
        for i, half in enumerate(self.halves[int(row)]):
            canvas.paste(self._half(int(half)), (i * SIDE // 2, 0))
        return canvas

    def roles(self, protocol: str, *, seed: int) -> Roles:
        database = np.arange(N_DATABASE)
        return Roles(database, np.arange(N_DATABASE, N_DATABASE + N_QUERY), database)


def load(config: DataConfig) -> Collage:
    """Collages of the bundled photographs, independent of the seed of the split."""
    photographs = caltech101.load(config)
    roles = photographs.roles("default", seed=0)
    database = _pairs(roles.database, photographs.labels, N_DATABASE, purpose="collage database")
    query = _pairs(roles.query, photographs.labels, N_QUERY, purpose="collage query")
    halves = np.concatenate([database, query])
    labels = np.zeros((len(halves), len(photographs.class_names)), np.uint8)
    for side in range(2):
        labels[np.arange(len(halves)), photographs.labels[halves[:, side]]] = 1
    return Collage(
        photographs=photographs,
        halves=halves,
        name="collage",
        ids=np.arange(len(halves)),
        labels=labels,
        class_names=photographs.class_names,
        fingerprint=fingerprint(photographs.fingerprint.encode(), halves.astype("<i8").tobytes()),
        default_k=100,
    )


def _pairs(rows: np.ndarray, labels: np.ndarray, n: int, *, purpose: str) -> np.ndarray:
    """Pairs `[n, 2]` of rows of different classes: the left ones in turn, the right ones at random."""
    pairs = []
    left = np.resize(shuffled(rows, seed=0, purpose=purpose), n)
    for row, number in zip(left, uniform((n,), seed=0, purpose=f"{purpose} right"), strict=True):
        others = rows[labels[rows] != labels[row]]
        pairs.append((row, others[int(number * len(others))]))
    return np.array(pairs)


def _portrait(image: Image.Image) -> Image.Image:
    """The largest centred crop of aspect ratio 1:2, resized to half a collage."""
    width = min(image.width, image.height / 2)
    left, top = (image.width - width) / 2, (image.height - 2 * width) / 2
    box = (left, top, left + width, top + 2 * width)
    return image.resize((SIDE // 2, SIDE), Image.Resampling.BICUBIC, box=box)
