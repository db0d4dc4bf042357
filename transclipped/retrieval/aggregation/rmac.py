"""R-MAC: maxima over square regions of several sizes, each at unit length, added up.

On level l = 1 … L, squares of side ⌊2 min(h, w)/(l + 1)⌋ are spread evenly from border to border, l along the short
side and l + e along the long one. Of e = 1 … 6 the one is chosen at which squares of the first level overlap by about
40 %; a square map has e = 0. The maximum over the whole map is added once more.

Levels whose squares have no place are left out, so any map will do. PyRetri's regions never reach the last row and
column; these are the ones of the authors of cirtorch, computed in whole numbers.

Source: Tolias, Sicre & Jégou 2016, arXiv 1511.05879.
"""

import numpy as np

from transclipped.retrieval.checks import places
from transclipped.retrieval.stages import stage
from transclipped.retrieval.vectors import unit

OVERLAP = 0.4  # of neighbouring squares on the first level
EXTRA = np.arange(1, 7)  # further squares along the long side


@stage(
    "rmac",
    kind="aggregation",
    idea="Take maxima over squares of several sizes and add up their directions.",
    formula="v = Σ_R unit(max_{xy ∈ R} F), R squares of side ⌊2 min(h, w)/(l + 1)⌋, l = 1 … L, and the whole map",
    source="arXiv 1511.05879",
    bounds={"levels": (1, 10)},
)
def rmac(maps: np.ndarray, *, levels: int = 3) -> np.ndarray:
    """Vectors `[B, C]` of maps `[B, C, h, w]`, negative values taken as 0; not yet at unit length."""
    x = places(maps)
    result = unit(x.max((1, 2)))
    for top, left, side in regions(*x.shape[1:3], levels):
        result += unit(x[:, top : top + side, left : left + side].max((1, 2)))
    return result


def regions(h: int, w: int, levels: int) -> list[tuple[int, int, int]]:
    """Top, left and side of all squares of a map of h × w places."""
    short = min(h, w)
    gaps = (max(h, w) - short) / EXTRA  # between squares of the first level
    extra = 0 if h == w else int(EXTRA[np.abs(1 - gaps / short - OVERLAP).round(6).argmin()])  # ties: the first
    result = []
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        if side:
            tops = _spread(h - side, level + (extra if h > w else 0))
            lefts = _spread(w - side, level + (extra if w > h else 0))
            result += [(top, left, side) for top in tops for left in lefts]
    return result


def _spread(last: int, n: int) -> list[int]:
    """n places from 0 to `last`, evenly; one place is 0."""
    return [i * last // (n - 1) for i in range(n)] if n > 1 else [0]
