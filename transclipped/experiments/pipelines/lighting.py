"""The light of a photograph as 18 numbers, without a network: alike are images under the same sky or lamp.

Ten square windows, a quarter of the shorter side wide, stand on a grid of 2 × 2 and at 6 random places. In each, hue,
saturation and intensity,

    I = (R + G + B) / 3,  S = 1 − min(R, G, B) / I,
    H = arccos( ½ [(R − G) + (R − B)] / √((R − G)² + (R − B)(G − B)) ), and 2π − H if B > G,

give a mean, a standard deviation and a homogeneity Σ p_ij / (1 + (i − j)²), with p the co-occurrences of 16 levels one
pixel apart in four directions, both ways. An image is the mean and the standard deviation of these 9 numbers over its
windows.

Hue is an angle, so it is taken on the circle: pixels weigh by S; the deviation is √(2 (1 − R)) with R the length of the
mean direction; the distance of levels is the shorter way around. The mean is given as its angle from azure, 0 for the
light of the sky and π for that of a lamp, as an angle from red would leap between two shades of red. Grey pixels
(S < 0.02) have no hue; a window of them has the mean π/2, the deviation 0 and the homogeneity 1.

References:
    Serrano et al. 2010, "Similar lighting", ICPR: windows and numbers, of which only the abstract is public.
    Haralick et al. 1973, doi 10.1109/TSMC.1973.4309314 (co-occurrence, homogeneity).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from functools import cached_property, partial

import numpy as np
from tqdm import tqdm

from transclipped.datasets.base import ImageSet, check_readable
from transclipped.datasets.embeddings import Embeddings
from transclipped.datasets.sampling import uniform
from transclipped.datasets.views import render, view_parameters
from transclipped.errors import InputError
from transclipped.experiments.pipelines.light_cache import BATCH, LightCache
from transclipped.retrieval.stages import stage
from transclipped.utils.progress import Progress, report

LEVELS = 16
WEIGHTS = 1 / (1 + np.arange(LEVELS, dtype=np.float32) ** 2)  # of homogeneity, by distance of levels
GREY = 0.02  # saturation below which a pixel has no hue
AZURE = 7 / 6 * np.pi  # 210°, opposite the orange of incandescent light
GRID = ((1, 1), (1, 3), (3, 1), (3, 3))  # centres of the fixed windows, in quarters of height and width
RANDOM = 6  # further windows
OFFSETS = ((0, 1), (1, 0), (1, 1), (1, -1))


def lighting(images: np.ndarray, rows: np.ndarray | None = None, *, seed: int = 0) -> np.ndarray:
    """The light of images.

    Args:
        images: `[B, H, W, 3]` uint8; one channel, `[B, H, W]` or `[B, H, W, 1]`, is grey, and a fourth is left out.
        rows: `[B]`, an image's place in its data set, which with the seed sets its random windows; 0, 1, … if None.

    Returns:
        `[B, 18]` float32: means, then deviations over windows, of (mean, deviation, homogeneity) of H, S and I.
        Hue in radians, saturation and intensity from 0 to 1.

    Raises:
        InputError: not such images, or smaller than 8 × 8 pixels.
    """
    pixels = _rgb(images)
    rows = np.arange(len(pixels)) if rows is None else np.asarray(rows)
    if not len(pixels):
        return np.zeros((0, 18), np.float32)
    numbers = _numbers(_windows(pixels, rows, seed))  # [B, windows, 9]
    return np.concatenate([numbers.mean(1), numbers.std(1)], 1).astype(np.float32)


def _rgb(images: np.ndarray) -> np.ndarray:
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3, 4):
        raise InputError(f"lighting needs images [B, H, W, 3] of bytes, got {images.dtype} {[*images.shape]}")
    if min(images.shape[1:3]) < 8:
        raise InputError(f"lighting needs images of at least 8 × 8 pixels, got {images.shape[2]} × {images.shape[1]}")
    return np.repeat(images, 3, axis=3) if images.shape[3] == 1 else images[..., :3]


def corners(shape: tuple[int, int], rows: np.ndarray, *, seed: int) -> np.ndarray:
    """Upper left corners `[B, windows, 2]` of windows in images of height and width `shape`."""
    side = min(shape) // 4
    room = np.array(shape) - side + 1  # places for a corner
    grid = np.array(GRID) * np.array(shape) // 4 - side // 2
    draws = uniform((int(rows.max()) + 1, 2 * RANDOM), seed=seed, purpose="lighting")[rows]
    drawn = np.minimum(draws.reshape(-1, RANDOM, 2) * room, room - 1).astype(np.int64)
    return np.concatenate([np.broadcast_to(grid, (len(rows), *grid.shape)), drawn], 1)


def _windows(pixels: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    """`[B, windows, s, s, 3]`."""
    shape = pixels.shape[1:3]
    at, inside = corners(shape, rows, seed=seed), np.arange(min(shape) // 4)
    image = np.arange(len(pixels))[:, None, None, None]
    return pixels[image, at[..., 0, None, None] + inside[:, None], at[..., 1, None, None] + inside]


def _numbers(windows: np.ndarray) -> np.ndarray:
    """`[…, 9]` of windows `[…, s, s, 3]`."""
    r, g, b = np.moveaxis(windows.astype(np.int32), -1, 0)
    total = r + g + b
    colour = total - 3 * np.minimum(np.minimum(r, g), b)
    intensity, saturation = total / np.float32(765), colour / np.maximum(total, 1).astype(np.float32)
    hue = np.arctan2(np.sqrt(np.float32(3)) * (g - b), (2 * r - g - b).astype(np.float32))  # the arccos, with its sign
    # Levels of S and I from integers, so that no rounding moves a pixel; those of H are centred on red.
    levels = (np.minimum(LEVELS * x // of, LEVELS - 1) for x, of in ((colour, np.maximum(total, 1)), (total, 765)))
    around = np.rint(hue * np.float32(LEVELS / (2 * np.pi))).astype(np.int32) % LEVELS
    coloured = saturation >= GREY
    each = [*_circular(hue, np.where(coloured, saturation, 0)), _homogeneity(around, coloured)]
    for values, level in zip((saturation, intensity), levels, strict=True):
        each += [values.mean((-2, -1)), values.std((-2, -1)), _homogeneity(level)]
    return np.stack(each, -1)


def _circular(angle: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Angle of the weighted mean direction from `AZURE`, and deviation, `[…]` each of angles `[…, s, s]`."""
    total = weight.sum((-2, -1))
    x, y = ((weight * f(angle)).sum((-2, -1)) / np.where(total > 0, total, 1) for f in (np.cos, np.sin))
    from_azure = np.abs((np.arctan2(y, x) - AZURE + np.pi) % (2 * np.pi) - np.pi)
    deviation = np.sqrt(2 * np.maximum(0, 1 - np.hypot(x, y)))
    return np.where(total > 0, from_azure, np.pi / 2), np.where(total > 0, deviation, 0)


def _homogeneity(levels: np.ndarray, coloured: np.ndarray | None = None) -> np.ndarray:
    """`[…]` of levels `[…, s, s]`; with `coloured`, of hue: only pairs of coloured pixels, on the circle.

    A sum over co-occurrences is a mean over pairs, and both ways of a pair give the same, so no matrix is needed.
    """
    total, pairs = 0.0, 0
    for dy, dx in OFFSETS:
        first = (..., slice(0, levels.shape[-2] - dy), slice(max(0, -dx), levels.shape[-1] - max(0, dx)))
        second = (..., slice(dy, None), slice(max(0, dx), levels.shape[-1] - max(0, -dx)))
        gap = np.abs(levels[first] - levels[second])
        gap = gap if coloured is None else np.minimum(gap, LEVELS - gap)
        valid = np.ones(gap.shape, bool) if coloured is None else coloured[first] & coloured[second]
        total += (WEIGHTS[gap] * valid).sum((-2, -1))
        pairs += valid.sum((-2, -1))
    return np.where(pairs > 0, total / np.maximum(pairs, 1), 1)


class Lighting:
    """The light of the images of a data set; that of a data set is cached, that of uploaded images is not."""

    def __init__(self, images: ImageSet, size: int, seed: int) -> None:
        self.images, self.size, self.seed = images, size, seed
        self.fingerprint = hashlib.sha256(f"lighting 1 {size} {seed}".encode()).hexdigest()

    @property
    def side(self) -> int:
        """Pixels of a side as they are looked at."""
        return self.images.native_size or self.size

    @cached_property
    def cache(self) -> LightCache:
        return LightCache(self.images, self.fingerprint, self.size, partial(lighting, seed=self.seed))

    def batches(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        if view or getattr(self.images, "transient", False):
            yield from self.computed(np.asarray(rows), view=view)
            return
        started = time.monotonic()
        with tqdm(total=len(rows), desc="lighting", disable=None) as bar:  # shown in a terminal
            for done, total in self.cache.fill(rows):
                bar.update(len(rows) - total + done - bar.n)
                report(Progress("lighting", done, total, time.monotonic() - started))
        check_readable(self.images, rows)
        yield self.cache.values[rows]

    def computed(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        """As `batches`, without the cache."""
        parameters = view_parameters(len(self.images), view=view, seed=0) if view else None
        for start in range(0, len(rows), BATCH):
            chunk = rows[start : start + BATCH]
            _, pixels = self.images.decoded(chunk, self.size)
            check_readable(self.images, chunk)
            if parameters is not None:
                drawn = render(pixels, parameters[chunk], size=pixels.shape[-1], mean=(0, 0, 0), std=(1, 1, 1))
                pixels = (255 * drawn).round().byte()
            yield lighting(pixels.permute(0, 2, 3, 1).numpy(), chunk, seed=self.seed)


@stage(
    "lighting",
    kind="features",
    idea="The light of an image, whatever it shows: hue, saturation and intensity of ten windows.",
    formula="mean and deviation over windows of mean, deviation, Σ pᵢⱼ / (1 + (i − j)²) of H, S, I",
    source="Serrano et al. 2010, ICPR",
    bounds={"size": (0, 2048), "seed": (0, 2**31 - 1)},
)
def light(images: ImageSet, *, size: int = 0, seed: int = 0) -> Lighting:
    """Of images `size` pixels wide, 0 for the data set's default; images of one small size stay as they are."""
    if isinstance(images, Embeddings):
        raise InputError(f"{images.name} has no pixels to see light in; choose a data set of images")
    return Lighting(images, size or images.default_size, seed)
