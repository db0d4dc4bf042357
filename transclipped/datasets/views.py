"""Views: random crop, flip and colour changes of an image, to which its embedding should be invariant.

A view is a row of eleven numbers, so that a batch of different views takes three matrix products, on any device:

1. brightness, contrast, saturation, hue and greyscale are affine in RGB; per image they are one
   3 × 3 matrix and an offset, applied to the small source: c ← A c + b;
2. crop, flip and resize are separable: output = W_y · image · W_xᵀ, where row i of W holds the cubic
   kernel around the source position of output pixel i, widened if the view is smaller than its source
   (antialiasing, as in Pillow).

The numbers depend only on (row, view, seed), not on the batch, so cached views can be computed in any order.

References:
    Chen et al. 2020, arXiv 2002.05709, appendix A (random crop, flip, colour jitter, greyscale).
    Keys, "Cubic convolution interpolation for digital image processing", 1981 (a = −1/2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from transclipped.datasets.sampling import uniform

CROP_AREA = (0.5, 1.0)  # share of the image
CROP_RATIO = (3 / 4, 4 / 3)  # width / height
JITTER = 0.4  # brightness, contrast and saturation are multiplied by 1 ± 0.4
HUE = 0.05  # of a full turn, both ways
GREY = 0.2  # probability
FIELDS = ("left", "top", "width", "height", "flip", "brightness", "contrast", "saturation", "hue", "grey", "jittered")
PLAIN = np.array([0, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0], np.float32)
N_DRAWS = 10  # random numbers behind one augmented view

# NTSC luma and chroma; hue is a rotation of the chroma plane.
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])
_RGB = torch.linalg.inv(_YIQ)


def view_parameters(n: int, *, view: int, seed: int) -> np.ndarray:
    """Parameters `[n, 11]` float32 (`FIELDS`): view 0 plain, 1 flipped, others augmented; row i is independent of n."""
    if view < 0:
        raise ValueError(f"views count from 0, got {view}")
    if view < 2:
        parameters = np.tile(PLAIN, (n, 1))
        parameters[:, FIELDS.index("flip")] = view
        return parameters
    return _augmented(uniform((n, N_DRAWS), seed=seed, purpose=f"view {view}"))


def random_parameters(n: int, *, generator: np.random.Generator) -> np.ndarray:
    """Parameters `[n, 11]` float32 of fresh augmented views, for training of the backbone."""
    return _augmented(generator.random((n, N_DRAWS)))


def render(
    pixels: Tensor, parameters: np.ndarray | Tensor | None, *, size: int, mean: Sequence[float], std: Sequence[float]
) -> Tensor:
    """Views of a batch, as input of a backbone.

    Args:
        pixels: `[B, 3, s, s]` uint8.
        parameters: `[B, 11]` (`FIELDS`), or None for the plain view.
        size: pixels per side of the output.
        mean, std: per channel, on the scale [0, 1].

    Returns:
        `[B, 3, size, size]` float32, (c − mean) / std with c in [0, 1].
    """
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[1] != 3:
        raise ValueError(f"need uint8 [B, 3, s, s], got {pixels.dtype} {[*pixels.shape]}")
    if parameters is not None and tuple(parameters.shape) != (len(pixels), len(FIELDS)):
        raise ValueError(f"need {len(FIELDS)} parameters for each of {len(pixels)} images")
    device = pixels.device
    centre = torch.tensor(mean, device=device).view(3, 1, 1)
    spread = torch.tensor(std, device=device).view(3, 1, 1)
    with torch.autocast(device.type, enabled=False):  # bfloat16 would cost three of the eight bits
        image = pixels.float() / 255
        if parameters is not None:
            parameters = torch.as_tensor(parameters, dtype=torch.float32, device=device)
            image = _recoloured(image, parameters)
        # Resampling weights sum to 1, so the source, which is usually smaller, is normalised instead.
        image = _resampled((image - centre) / spread, parameters, size)
        for channel, m, d in zip(image.unbind(1), mean, std, strict=True):  # the cubic kernel overshoots at edges
            channel.clamp_(-m / d, (1 - m) / d)
        return image


def _augmented(draws: np.ndarray) -> np.ndarray:
    """Parameters `[n, 11]` from uniform numbers `[n, 10]`."""
    area, ratio, x, y, flip, brightness, contrast, saturation, hue, grey = draws.T
    area = CROP_AREA[0] + area * (CROP_AREA[1] - CROP_AREA[0])
    ratio = np.exp(math.log(CROP_RATIO[0]) + ratio * math.log(CROP_RATIO[1] / CROP_RATIO[0]))
    width, height = np.minimum(np.sqrt(area * ratio), 1), np.minimum(np.sqrt(area / ratio), 1)
    jitter = (1 + JITTER * (2 * number - 1) for number in (brightness, contrast, saturation))
    columns = (x * (1 - width), y * (1 - height), width, height, flip < 0.5, *jitter, HUE * (2 * hue - 1), grey < GREY)
    return np.stack([*columns, np.ones(len(draws))], axis=1).astype(np.float32)


def _recoloured(image: Tensor, parameters: Tensor) -> Tensor:
    """Colours `[B, 3, s, s]` in [0, 1] after A c + b; images without colour changes stay exactly the same."""
    jittered = parameters[:, FIELDS.index("jittered")] > 0
    if not jittered.any():
        return image
    b, _, s, _ = image.shape
    flat = image.reshape(b, 3, s * s)
    matrix, contrast = _colour_matrix(parameters)
    mean = (matrix @ flat.mean(2, keepdim=True) * _YIQ[0].to(image).view(1, 3, 1)).sum(1, keepdim=True)  # luma
    changed = torch.baddbmm((1 - contrast) * mean, contrast * matrix, flat).clamp_(0, 1)
    return torch.where(jittered.view(b, 1, 1), changed, flat).view_as(image)


def _colour_matrix(parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Matrix `[B, 3, 3]` of brightness, saturation, hue and greyscale; contrast `[B, 1, 1]`."""
    column = dict(zip(FIELDS, parameters.T, strict=True))
    chroma = column["saturation"] * (1 - column["grey"])
    angle = 2 * math.pi * column["hue"]
    turn = parameters.new_zeros(len(parameters), 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = chroma * angle.cos()
    turn[:, 2, 1] = chroma * angle.sin()
    turn[:, 1, 2] = -turn[:, 2, 1]
    matrix = column["brightness"].view(-1, 1, 1) * (_RGB.to(parameters) @ turn @ _YIQ.to(parameters))
    return matrix, column["contrast"].view(-1, 1, 1)


def _resampled(image: Tensor, parameters: Tensor | None, size: int) -> Tensor:
    """Crop, flip and resize `[B, 3, s, s]` to `[B, 3, size, size]`."""
    b, _, s, _ = image.shape
    if parameters is None:
        if s == size:
            return image
        start, extent = torch.zeros(1, device=image.device), torch.ones(1, device=image.device)
        w = _weights(start, extent, s, size)[0]  # [size, s], of both directions
        return torch.matmul(w, (image.reshape(-1, s) @ w.T).view(b, 3, s, size))
    column = dict(zip(FIELDS, parameters.T, strict=True))
    mirrored = column["flip"] > 0.5
    left = torch.where(mirrored, column["left"] + column["width"], column["left"])
    across = torch.where(mirrored, -column["width"], column["width"])
    w_x = _weights(left, across, s, size).expand(b, -1, -1)  # [B, size, s]
    w_y = _weights(column["top"], column["height"], s, size).expand(b, -1, -1)
    rows = torch.bmm(image.reshape(b, 3 * s, s), w_x.mT).view(b, 3, s, size)
    return torch.matmul(w_y[:, None], rows)


def _weights(start: Tensor, extent: Tensor, s: int, size: int) -> Tensor:
    """Rows of the cubic kernel `[n, size, s]`: weight of each source pixel in each output pixel.

    `start` and `extent` `[n]` of the view are shares of the source; a negative extent is a flip.
    """
    step = extent * s / size  # source pixels an output pixel
    place = start[:, None] * s + (torch.arange(size, device=start.device) + 0.5) * step[:, None]  # [n, size]
    source = torch.arange(s, device=start.device) + 0.5
    width = step.abs().clamp(min=1).view(-1, 1, 1)
    weights = _cubic((source - place[..., None]) / width)
    return weights / weights.sum(2, keepdim=True)


def _cubic(x: Tensor) -> Tensor:
    """Keys' kernel with a = −1/2."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))
