"""A synthetic walk along a wall of photographs that returns to some places: frames in order of time.

Photographs of Caltech-101 hang side by side, and a square window slides along them, a step each frame. After 700 places
it goes back and passes 300 of them again until the walk ends, in three other lights, with an offset and out of focus.
A photograph is about ten places wide.
The frames are rendered when the set is opened, by the same recipe everywhere, so that nothing is bundled.

The label of a frame is the number on the wall of the photograph in the middle of its window. Queries are the frames of
the return, the database those of the first visits, both in order of time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from transclipped.config import DataConfig
from transclipped.datasets import caltech101
from transclipped.datasets.base import ArraySet, ImageSet, Roles, fingerprint
from transclipped.datasets.sampling import shuffled, uniform

SIDE, STEP, HEIGHT = 64, 10, 80  # pixels of a frame, between two frames, and of the wall
SEED = 0
PLACES, START, FRAMES = 700, 60, 300  # seen first; where the return begins, and how long it is
LIGHTS = ((1.3, (1.05, 1.0, 0.9)), (0.75, (0.95, 1.0, 1.05)), (1.2, (0.85, 0.95, 1.0)))  # gamma, gain of R, G and B
BLUR = (0.6, 1.2)  # pixels, deviation of a Gaussian
OFFSET, SHAKE = 3, 2  # pixels: most of a return, up or down and along the wall, and of any frame
JITTER = 0.08  # most that the exposure of a frame differs


@dataclass(frozen=True)
class Route:
    """Where each frame is.

    Attributes:
        place: `[n]` int64, steps from the beginning of the wall. light: `[n]` int64, number of the light on the
            return, −1 on a first visit.
    """

    place: np.ndarray
    light: np.ndarray


class Walk(ArraySet):
    """Frames in order of time.

    Attributes:
        route: the ground truth.
    """

    def __init__(self, *, route: Route, **rest: object) -> None:
        super().__init__(**rest)
        self.route = route

    def roles(self, protocol: str, *, seed: int) -> Roles:
        first = np.flatnonzero(self.route.light < 0)
        return Roles(first, np.flatnonzero(self.route.light >= 0), first)


def load(config: DataConfig) -> Walk:
    """The walk along the bundled photographs, independent of the seed of the split."""
    return walk(caltech101.load(config))


def walk(photographs: ImageSet, *, places: int = PLACES, start: int = START, frames: int = FRAMES) -> Walk:
    """A walk along some places, and again from the place `start` for some frames."""
    light = np.concatenate([np.full(places, -1), np.arange(frames) * len(LIGHTS) // frames])
    route = Route(np.concatenate([np.arange(places), start + np.arange(frames)]), light)
    length = int(route.place.max()) * STEP + SIDE + 2 * (OFFSET + SHAKE)
    wall, hung = _wall(photographs, length)
    middle = route.place * STEP + SIDE // 2 + OFFSET + SHAKE
    labels = hung[middle]
    names = tuple(f"photograph {i + 1}" for i in range(labels.max() + 1))
    recipe = repr((SIDE, STEP, HEIGHT, SEED, places, start, frames, LIGHTS, BLUR, OFFSET, SHAKE, JITTER, 1))
    return Walk(
        route=route,
        pixels=_frames(wall, route),
        name="walk",
        ids=np.arange(len(labels)),
        labels=labels,
        class_names=names,
        fingerprint=fingerprint(photographs.fingerprint.encode(), recipe.encode()),
        default_k=10,
        default_size=96,
    )


def _wall(photographs: ImageSet, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Pixels `[HEIGHT, length, 3]` uint8 and the number on the wall of the photograph at each `[length]`."""
    order = shuffled(np.arange(len(photographs)), seed=SEED, purpose="walk wall")
    parts, hung, total = [], [], 0
    for number, row in enumerate(order.tolist()):
        image = photographs.image(row)
        image = image.resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT), Image.Resampling.BILINEAR)
        parts.append(np.asarray(image.convert("RGB")))
        hung.append(np.full(image.width, number))
        total += image.width
        if total >= length:
            break
    return np.concatenate(parts, 1)[:, :length], np.concatenate(hung)[:length]


def _frames(wall: np.ndarray, route: Route) -> np.ndarray:
    """Pixels `[n, 3, SIDE, SIDE]` uint8."""
    n = len(route.place)
    shake = uniform((n, 3), seed=SEED, purpose="walk shake") * 2 - 1  # left or right, up or down, exposure
    each = uniform((len(LIGHTS), 3), seed=SEED, purpose="walk return")  # offsets and blur
    result = np.empty((n, 3, SIDE, SIDE), np.uint8)
    for i, (place, light) in enumerate(zip(route.place.tolist(), route.light.tolist(), strict=True)):
        offset = (each[light, :2] * 2 - 1) * OFFSET if light >= 0 else 0
        x, y = np.rint(shake[i, :2] * SHAKE + offset).astype(int)
        left, top = place * STEP + OFFSET + SHAKE + x, (HEIGHT - SIDE) // 2 + y
        gamma, gain = LIGHTS[light] if light >= 0 else (1.0, (1.0, 1.0, 1.0))
        frame = wall[top : top + SIDE, left : left + SIDE]
        frame = _lit(frame, gamma, np.array(gain) * (1 + JITTER * shake[i, 2]))
        if light >= 0:
            radius = float(BLUR[0] + (BLUR[1] - BLUR[0]) * each[light, 2])
            frame = np.asarray(Image.fromarray(frame).filter(ImageFilter.GaussianBlur(radius)))
        result[i] = frame.transpose(2, 0, 1)
    return result


def _lit(frame: np.ndarray, gamma: float, gain: np.ndarray) -> np.ndarray:
    """Another exposure and another colour of the light."""
    levels = np.arange(256) / 255
    table = (255 * np.minimum(1, gain[:, None] * levels**gamma)).round().astype(np.uint8)  # [3, 256]
    return np.stack([table[c][frame[..., c]] for c in range(3)], -1)
