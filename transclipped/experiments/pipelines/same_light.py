"""The same question asked of light alone: which images were taken under a light like that of the query?

A network ranks by what an image shows, and `lighting` by how it was lit. Its 18 numbers are brought to unit length,
whitened over the database (Jégou & Chum 2012, but only to λ^−0.3), and compared by cosine. The exponent was chosen on
4 × 300 photographs of the database, in the same three lights in which queries are measured; see
`tests/benchmarks/lighting_quality.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from transclipped.datasets.base import fingerprint
from transclipped.datasets.images.decode import square
from transclipped.datasets.images.relight import relit
from transclipped.datasets.images.thumbnails import small
from transclipped.errors import InputError
from transclipped.experiments.pipelines.lighting import lighting
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.index import Hits
from transclipped.utils.files import ASSETS, read_object

COMPARED = "l2 | whiten(0.6) | l2"
LINE = f"lighting | {COMPARED}"
NETWORK = "hybrid-vit | l2"  # with which it is compared
MEASURED = ASSETS / "pipeline" / "light-caltech101.json"
TINY = 64  # px of a side below which windows hold too few pixels to show much of the light


@dataclass(frozen=True)
class LightTest:
    """How well light is told apart: each photograph in several lights, ranked by all others.

    Attributes:
        first: hits that are judged. precision: share of them in the query's light by line, mean over draws.
    """

    photographs: int
    lights: int
    first: int
    precision: dict[str, float]

    @property
    def chance(self) -> float:
        """The share among all other images."""
        return (self.photographs - 1) / (self.photographs * self.lights - 1)


def light_test(path: Path = MEASURED) -> LightTest | None:
    """What `tests/benchmarks/lighting_quality.py` has measured; None if its file is missing or unfinished."""
    if not (values := read_object(path)):
        return None
    try:
        precision = {line: fmean(draws) for line, draws in values["precision"].items() if draws}
        return LightTest(values["photographs"], values["lights"], values["first"], precision)
    except (KeyError, TypeError, AttributeError):
        return None


class SameLight:
    """A database, ranked by light.

    Args:
        values: `[N, 18]`; rows with NaN, of images that could not be read, are never hits.
        size: pixels of a side at which the images were looked at.
    """

    def __init__(self, values: np.ndarray, size: int) -> None:
        self.size, self.rows = size, np.flatnonzero(np.isfinite(values).all(1))
        self._pipeline = Pipeline(COMPARED).fit(values[self.rows]) if len(self.rows) else None

    def search(self, images: Sequence[Image.Image], k: int) -> Hits:
        """The min(k, N) rows `[1, k]` whose light is most like the mean light of these images."""
        if self._pipeline is None:
            return Hits(np.zeros((1, 0), np.float32), np.zeros((1, 0), np.int64))
        pixels = np.stack([np.asarray(square(image.convert("RGB"), self.size)) for image in images])
        query = lighting(pixels, np.zeros(len(pixels), np.int64)).mean(0, keepdims=True)
        hits = self._pipeline.search(query, k)
        return Hits(hits.scores, self.rows[hits.rows])


class Files:
    """Images by their paths, None where it is unknown; what cannot be read is left out."""

    native_size, default_size, transient = None, 160, False

    def __init__(self, paths: Sequence[str | None], *, version: str, name: str = "the collection") -> None:
        self.paths, self.name = paths, name
        self.fingerprint = fingerprint("\0".join(path or "" for path in paths).encode(errors="replace"))
        self.fingerprint += version
        self._gone: set[int] = {row for row, path in enumerate(paths) if path is None}

    def __len__(self) -> int:
        return len(self.paths)

    def readable(self, rows: np.ndarray) -> np.ndarray:
        return np.array([row for row in rows if int(row) not in self._gone], np.int64)

    def decoded(self, rows: np.ndarray, size: int) -> tuple[np.ndarray, torch.Tensor]:
        pixels = {}
        for row in self.readable(rows).tolist():
            try:
                pixels[row] = np.asarray(square(small(Path(self.paths[row])), size))
            except (InputError, OSError):
                self._gone.add(row)
        stacked = np.stack([*pixels.values()]) if pixels else np.zeros((0, size, size, 3), np.uint8)
        return np.array([*pixels], np.int64), torch.from_numpy(stacked.transpose(0, 3, 1, 2))


def in_other_light(image: Image.Image, *, exposure: float, warmth: float) -> Image.Image:
    """An image brighter or darker, warmer or cooler; see `relit`."""
    return Image.fromarray(relit(np.asarray(image.convert("RGB")), exposure=exposure, warmth=warmth))
