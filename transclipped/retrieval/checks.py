"""What every stage checks first: maps and vectors have the right shape and hold finite numbers."""

import numpy as np

from transclipped.errors import InputError


def places(maps: np.ndarray) -> np.ndarray:
    """Maps `[B, C, h, w]` as non-negative float32 `[B, h, w, C]`, contiguous: one row of channels per place.

    Pooling presumes features after a ReLU. A map from a linear layer is negative in places: a mean of its cubes can be
    negative, which has no real cube root, and no channel is ever inactive. Such maps are cut off at 0.

    Raises:
        InputError: not four axes, no place or channel, or a value is NaN or infinite.
    """
    maps = np.asarray(maps)
    if maps.ndim != 4 or 0 in maps.shape[1:]:
        raise InputError(f"need feature maps [B, C, h, w] with at least one place, got {[*maps.shape]}")
    if not np.isfinite(maps).all():
        image = int((~np.isfinite(maps)).any((1, 2, 3)).argmax())
        raise InputError(f"the feature map of image {image} holds NaN or infinity; compute the maps again")
    out = np.empty((len(maps), *maps.shape[2:], maps.shape[1]), np.float32)
    np.maximum(maps.transpose(0, 2, 3, 1), 0, out=out, casting="same_kind")
    return out


def flat_places(maps: np.ndarray) -> np.ndarray:
    """`places` in one axis, `[B, h · w, C]`."""
    x = places(maps)
    return x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3])


def rows(vectors: np.ndarray, *, name: str = "vectors") -> np.ndarray:
    """Vectors `[N, D]` as contiguous float32.

    Raises:
        InputError: not two axes, no column, or a value is NaN or infinite.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or not vectors.shape[1]:
        raise InputError(f"need {name} [N, D] with D >= 1, got {[*vectors.shape]}")
    vectors = np.ascontiguousarray(vectors, np.float32)
    if not np.isfinite(vectors).all():
        row = int((~np.isfinite(vectors)).any(1).argmax())
        raise InputError(f"row {row} of the {name} holds NaN or infinity; compute them again")
    return vectors


def training_rows(vectors: np.ndarray, method: str, *, name: str = "training vectors") -> np.ndarray:
    """`rows` to fit a method on: at least one.

    Raises:
        InputError: as `rows`, or there are none.
    """
    vectors = rows(vectors, name=name)
    if not len(vectors):
        raise InputError(f"{method} learns from {name}, but there are none")
    return vectors


def same_width(method: str, fitted: int, width: int) -> None:
    """Raises an InputError unless what reaches a method is as wide as what it was fitted on."""
    if fitted != width:
        raise InputError(f"{method} was fitted on {fitted} numbers, but gets {width}; fit it on features of this width")
