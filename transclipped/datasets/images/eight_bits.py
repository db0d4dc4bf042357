"""Conversion from any Pillow mode to 8-bit RGB, tile by tile, so that memory is bounded.

- Greyscale of more than 8 bits is divided by the largest value of the bit depth in use: cameras and scanners store
  10 or 12 bits in 16-bit files, which would be nearly black if 65,535 were white.
- Transparent images are composed on white, or on black if most visible pixels are nearly white.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

TILE = 2048  # pixels per side converted at once; 17 MB as RGBA
DEPTHS = (8, 10, 12, 14, 16, 24, 32)  # bit depths of greyscale
ONE = 2.0  # floating point below this is on the scale from 0 to 1, possibly with overshoot
OVERSHOOT = 1.05  # factor by which floating point on an integer scale may exceed its white
VISIBLE = 128  # minimum opacity, of 255, of pixels that decide the background
LIGHT = 224  # grey level, of 255, too light for a white background


def rgb(image: Image.Image, *, factor: int = 1) -> Image.Image:
    """RGB copy of a loaded image of any mode, each side divided by `factor` and rounded up."""
    eight = _conversion(image)
    if factor == 1 and max(image.size) <= TILE:
        return eight(image)
    out = Image.new("RGB", tuple(math.ceil(side / factor) for side in image.size))
    for left, top, tile in _tiles(image, step=max(1, TILE // factor) * factor):
        out.paste(eight(tile).reduce(factor) if factor > 1 else eight(tile), (left // factor, top // factor))
    return out


def white_level(brightest: float, *, floating: bool) -> float:
    """The value of white, given the brightest one of an image."""
    if floating and brightest < ONE:
        return 1.0
    reach = OVERSHOOT if floating else 1
    return next((2.0**bits - 1 for bits in DEPTHS if brightest <= (2**bits - 1) * reach), brightest)


def _conversion(image: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """Function that converts each tile of an image to RGB."""
    if image.mode.startswith(("I", "F")):
        brightest = max((float(_values(tile).max(initial=0)) for _, _, tile in _tiles(image)), default=0.0)
        white = white_level(brightest, floating=image.mode == "F")
        return lambda tile: _grey(tile, white)
    if image.has_transparency_data:
        background = _background(image)
        return lambda tile: Image.alpha_composite(
            Image.new("RGBA", tile.size, background), tile.convert("RGBA")
        ).convert("RGB")
    return lambda tile: tile.convert("RGB")


def _tiles(image: Image.Image, *, step: int = TILE) -> Iterator[tuple[int, int, Image.Image]]:
    """(left, top, tile) of the squares of an image."""
    for top in range(0, image.height, step):
        for left in range(0, image.width, step):
            box = (left, top, min(left + step, image.width), min(top + step, image.height))
            yield left, top, image if box == (0, 0, *image.size) else image.crop(box)


def _values(tile: Image.Image) -> np.ndarray:
    """Float32 values of a tile; 0 where not finite."""
    values = np.asarray(tile).astype(np.float32)
    values[~np.isfinite(values)] = 0
    return values


def _grey(tile: Image.Image, white: float) -> Image.Image:
    values = _values(tile) * np.float32(255 / white)
    return Image.fromarray(values.round().clip(0, 255).astype(np.uint8)).convert("RGB")


def _background(image: Image.Image) -> str:
    """White or black, whichever contrasts with the visible pixels."""
    counts = np.zeros(256, np.int64)
    for _, _, tile in _tiles(image):
        tile = tile.convert("RGBA")
        visible = tile.getchannel("A").point(lambda opacity: 255 * (opacity >= VISIBLE))
        counts += tile.convert("RGB").convert("L").histogram(visible)
    return "black" if 2 * counts[LIGHT:].sum() > counts.sum() else "white"
