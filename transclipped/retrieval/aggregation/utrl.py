"""UTRL: two attentions, to where an object is and to its strongest place, then weights of channels, on three scales.

Channels that vary from image to image (set V, learned) show objects. On a map F and S = Σ_{c ∈ V} F_c:
soft attention A = √(S²G/‖S²G‖), G a Gaussian of σ = ⌈(h + w)/10⌉ around the centroid of places with S > 0, F₁ = A F;
hard attention is the same from S₁ = Σ_{c ∈ V} F₁,c, around its strongest place, F₂ = A₁ F.
With t_c = (sum over columns of their maximum) · (number of columns with a positive one) of F₁ + F₂, a channel weighs
√(max t/(t_c + 1e-5)). Weighted sums over all places of the map, its half and its quarter are added.

The published code differs in four ways. It centres hard attention on the weakest place (`faithful` does so, too). Its
channels have a standard deviation of at least 2 median − 2 mean/min, which mixes a scale with a ratio, so that
brighter maps choose others; `faithful` does so, and by default the ratio is left out: 2 median. It enlarges all maps
to 64 places a side; `upsample` does so, at a hundred times the cost. And it lets bicubic scaling go below zero.

Source: Zhang et al. 2025, UTRL, IEEE TNNLS.
"""

from collections.abc import Iterable

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.checks import places, same_width
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.vectors import unit

EPSILON = 1e-5  # added to the responses of a channel
LARGEST = 64  # places a side that smaller maps are enlarged to
SCALES = (1, 2, 4)  # by which a map is divided


def fit(batches: Iterable[np.ndarray], *, faithful: bool = False) -> State:
    """`channels` `[C]` bool, whose sum varies most over the training images; at least one."""
    n, total, squares = 0, 0.0, 0.0
    for maps in batches:
        sums = places(maps).sum((1, 2), dtype=np.float64)  # [B, C]
        if n:
            same_width("utrl", len(total), sums.shape[1])
        n, total, squares = n + len(sums), total + sums.sum(0), squares + (sums**2).sum(0)
    if not n:
        raise InputError("utrl chooses its channels over training images, but there are none")
    deviation = np.sqrt(np.maximum(squares - total**2 / n, 0) / max(1, n - 1))
    alive = deviation[deviation > 0]
    if not len(alive):
        return {"channels": np.ones(len(deviation), bool)}
    least = 2 * np.median(alive) - (2 * alive.mean() / alive.min() if faithful else 0)
    return {"channels": (deviation >= least) | (deviation == deviation.max())}


@stage(
    "utrl",
    kind="aggregation",
    idea="Attend to where an object is and to its strongest place, and weaken channels that respond everywhere.",
    formula="v = unit(Σ_scales Σ_xy √(max t/t_c) (A F + A₁ F)), A = √(S²G/‖S²G‖), S = Σ_{c ∈ V} F_c",
    source="UTRL, doi 10.1109/TNNLS.2024.3363163",
    fit=fit,
)
def utrl(maps: np.ndarray, state: State, *, upsample: bool = False, faithful: bool = False) -> np.ndarray:
    """Vectors `[B, C]` at unit length of maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    same_width("utrl", len(state["channels"]), x.shape[3])
    h, w = x.shape[1:3]
    if upsample and max(h, w) < LARGEST:
        x = resized(x, -(-h * LARGEST // min(h, w)), -(-w * LARGEST // min(h, w)))
    result = np.zeros((len(x), x.shape[3]), np.float32)
    for scale in SCALES:
        part = resized(x, -(-x.shape[1] // scale), -(-x.shape[2] // scale)) if scale > 1 else x
        attended = part * sum(attentions(part, state["channels"], faithful=faithful))[..., None]
        result += attended.sum((1, 2)) * channel_weights(attended)
    return unit(result)


def attentions(x: np.ndarray, channels: np.ndarray, *, faithful: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Soft and hard attention `[B, h, w]` each, of maps `[B, h, w, C]`."""
    total = x @ channels.astype(np.float32)  # S
    soft = _attention(total, _centroid(total))
    total = total * soft  # S₁, since attention is equal for all channels
    return soft, _attention(total, _extreme(total, weakest=faithful))


def _attention(total: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """√(S²G/‖S²G‖) of S `[B, h, w]` with a Gaussian around `centre` `[B, 2]`; even where S is zero throughout."""
    h, w = total.shape[1:]
    sigma = -(-(h + w) // 10)
    y, x = np.arange(h) - centre[:, :1], np.arange(w) - centre[:, 1:]  # [B, h] and [B, w]
    gaussian = np.exp(-(y[:, :, None] ** 2 + x[:, None] ** 2) / (2 * sigma**2)).astype(np.float32)
    largest = total.max((1, 2), keepdims=True)
    squares = np.where(largest > 0, (total / np.where(largest > 0, largest, 1)) ** 2 * gaussian, 1)
    return np.sqrt(squares / np.sqrt((squares**2).sum((1, 2), keepdims=True)))


def _centroid(total: np.ndarray) -> np.ndarray:
    """Mean row and column `[B, 2]` of places with S > 0, rounded down."""
    active = total > 0
    count = np.maximum(active.sum((1, 2)), 1)
    rows = (active.sum(2) @ np.arange(total.shape[1])) // count
    columns = (active.sum(1) @ np.arange(total.shape[2])) // count
    return np.stack([rows, columns], 1)


def _extreme(total: np.ndarray, *, weakest: bool) -> np.ndarray:
    """Row and column `[B, 2]` of the strongest place, or the weakest with S > 0; the first of equal ones."""
    flat = total.reshape(len(total), total.shape[1] * total.shape[2])
    best = np.where(flat > 0, flat, np.inf).argmin(1) if weakest else flat.argmax(1)
    return np.stack(np.unravel_index(best, total.shape[1:]), 1)


def channel_weights(x: np.ndarray) -> np.ndarray:
    """√(max t/(t_c + 1e-5)) `[B, C]` of maps `[B, h, w, C]`."""
    columns = x.max(1)  # [B, w, C]
    t = columns.sum(1) * (columns > 0).sum(1, dtype=np.float32)
    return np.sqrt(t.max(1, keepdims=True) / (t + np.float32(EPSILON)))


def resized(x: np.ndarray, h: int, w: int) -> np.ndarray:
    """Maps `[B, h', w', C]` scaled to h × w by bicubic interpolation, negative values cut off."""
    b, height, width, c = x.shape
    rows = (_bicubic(height, h) @ x.reshape(b, height, width * c)).reshape(b, h, width, c)
    return np.maximum(_bicubic(width, w) @ rows, 0)


def _bicubic(n: int, m: int) -> np.ndarray:
    """Matrix `[m, n]` float32 that scales n numbers to m."""
    from PIL import Image  # imported late, since listing the methods needs no Pillow

    return np.asarray(Image.fromarray(np.eye(n, dtype=np.float32)).resize((n, m), Image.Resampling.BICUBIC))
