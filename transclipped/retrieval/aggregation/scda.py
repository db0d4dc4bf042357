"""SCDA: only the main object is pooled, which is where the map responds more than on average.

The mask holds the places with S > mean S, where S = Σ_c F_c, and of those the largest group that is connected by edges
(the first in reading order, if several are equally large). A vector is [mean ‖ max] of the masked map, the mean being
over all places.

A constant map has no place above its mean. All its places are pooled; PyRetri fails there.

Source: Wei, Luo, Wu & Zhou 2017, arXiv 1604.04994.
"""

import math

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage


@stage(
    "scda",
    kind="aggregation",
    idea="Find the main object by its total response; pool only there, by mean and maximum.",
    formula="v = [mean_xy(A·F) ‖ max_xy(A·F)], A = largest connected part of {S > mean S}, S = Σ_c F_c",
    source="arXiv 1604.04994",
)
def scda(maps: np.ndarray) -> np.ndarray:
    """Vectors `[B, 2C]` of maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    total = x.sum(3)  # [B, h, w]
    x *= largest_part(total > total.mean((1, 2), keepdims=True))[..., None]
    return np.concatenate([x.mean((1, 2)), x.max((1, 2))], 1)


def largest_part(mask: np.ndarray) -> np.ndarray:
    """Largest 4-connected part of each mask `[B, h, w]`; everything where a mask is empty."""
    from scipy import ndimage  # imported late, since listing the methods needs no scipy

    within = np.zeros((3, 3, 3), int)
    within[1] = ndimage.generate_binary_structure(2, 1)  # no connection between images
    parts, n = ndimage.label(mask, within)  # in reading order, image by image
    parts = parts.reshape(len(mask), math.prod(mask.shape[1:]))  # [B, P], 0 outside
    size = np.bincount(parts.ravel(), minlength=n + 1)
    size[0] = 0
    first = size[parts].argmax(1)  # a place of the largest part: the earliest of equally large ones
    largest = np.take_along_axis(parts, first[:, None], 1)  # [B, 1]; 0 where the mask is empty
    return (parts == largest).reshape(mask.shape)
