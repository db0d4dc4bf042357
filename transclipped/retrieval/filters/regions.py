"""Regions: an image's places are grouped by what they respond to, and each region counts as a whole.

The places of one map are clustered by k-means over their channels, and smoothed by a majority vote of 3 × 3 places. All
places of a region r get its weight, mean response of r / mean response of the map / √(share of the map's area): small
strong regions gain, wide ones do not win by their size alone.

Clusters start from the strongest place, then from the place farthest from all chosen so far, so nothing is random.

Source: after Li, Gu et al. 2020, ICME, known to us by its abstract. There a network divides the image into regions that
have a meaning; here clusters take its place.
"""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage

ROUNDS = 10  # of k-means


@stage(
    "regions",
    kind="filter",
    idea="Group the places of an image into regions and weight each region as a whole.",
    formula="F · (mean S over r / mean S) / √(|r| / P) at the places of region r, S = Σ_c F_c",
    source="after Li et al. 2020, ICME",
    bounds={"groups": (1, 32)},
)
def regions(maps: np.ndarray, *, groups: int = 5) -> np.ndarray:
    """Weighted maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    return (x * weights(x, labels(x, groups))[..., None]).transpose(0, 3, 1, 2)


def labels(x: np.ndarray, groups: int) -> np.ndarray:
    """Region `[B, h, w]` of each place of maps `[B, h, w, C]`, below `groups`."""
    return majority(
        clusters(x.reshape(len(x), x.shape[1] * x.shape[2], x.shape[3]), groups).reshape(x.shape[:3]), groups
    )


def clusters(x: np.ndarray, groups: int) -> np.ndarray:
    """k-means of the places of each map, `[B, P]`, from maps `[B, P, C]`."""
    squares = (x**2).sum(2)  # [B, P]
    image = np.arange(len(x))
    chosen = [x.sum(2).argmax(1)]
    nearest = np.full(squares.shape, np.inf, np.float32)
    for _ in range(min(groups, x.shape[1]) - 1):
        nearest = np.minimum(nearest, ((x - x[image, chosen[-1]][:, None]) ** 2).sum(2))
        chosen.append(nearest.argmax(1))
    centres = x[image[:, None], np.stack(chosen, 1)]  # [B, K, C]
    result = None
    for _ in range(ROUNDS):
        previous, result = result, (2 * x @ centres.transpose(0, 2, 1) - (centres**2).sum(2)[:, None]).argmax(2)
        if np.array_equal(result, previous):
            break
        member = (result[..., None] == np.arange(centres.shape[1])).astype(np.float32)  # [B, P, K]
        count = member.sum(1)[..., None]
        centres = np.where(count > 0, member.transpose(0, 2, 1) @ x / np.maximum(count, 1), centres)
    return result


def majority(labels: np.ndarray, groups: int) -> np.ndarray:
    """The most frequent label of `[B, h, w]` among 3 × 3 places; of equally frequent ones, its own, else the first."""
    votes = (labels[..., None] == np.arange(groups)).astype(np.float32)  # [B, h, w, K]
    padded = np.pad(votes, ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, w = labels.shape[1:]
    total = sum(padded[:, y : y + h, x : x + w] for y in range(3) for x in range(3))
    return (total + votes / 2).argmax(3)


def weights(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Weight `[B, h, w]` of each place of maps `[B, h, w, C]` by its region; 1 where a map is zero."""
    total = x.sum(3)
    member = labels[..., None] == np.arange(labels.max(initial=0) + 1)  # [B, h, w, R]
    share = np.maximum(member.mean((1, 2), dtype=np.float32), np.float32(1e-9))  # [B, R]; no place has an empty region
    response = (total[..., None] * member).mean((1, 2)) / share
    mean = total.mean((1, 2))[:, None]
    weight = np.where(mean > 0, response / np.where(mean > 0, mean, 1) / np.sqrt(share), 1)
    return (member * weight[:, None, None]).sum(3, dtype=np.float32)
