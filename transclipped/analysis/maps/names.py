"""Where the names of groups stand on a map: at each group's densest place."""

import numpy as np
from scipy.ndimage import uniform_filter

CELLS = 24  # of a grid over the map, per side
LEAST = 3  # points of a group that gets a name


def densest(xy: np.ndarray, groups: np.ndarray) -> dict[int, tuple[float, float]]:
    """Place of each group's name, largest group first: the median of its points around its fullest cell.

    Cells are compared by the points in them and in the eight around them; of equally full ones the first counts.

    Args:
        xy: `[n, 2]`. groups: `[n]`, the group of each point; groups of fewer than `LEAST` points get no name.
    """
    if not len(xy):
        return {}
    side = float(np.ptp(xy, axis=0).max()) or 1.0
    cells = np.minimum((xy - xy.min(0)) / side * CELLS, CELLS - 1).astype(int)  # [n, 2]
    names, counts = np.unique(groups, return_counts=True)
    places = {}
    for group in names[np.lexsort((names, -counts))][: (counts >= LEAST).sum()].tolist():
        own = np.flatnonzero(groups == group)
        filled = np.zeros((CELLS, CELLS))
        np.add.at(filled, tuple(cells[own].T), 1)
        around = uniform_filter(filled, 3, mode="constant") * 9
        peak = np.unravel_index(np.round(around).argmax(), around.shape)
        near = own[(np.abs(cells[own] - peak) <= 1).all(1)]
        places[group] = tuple(np.median(xy[near], axis=0).tolist())
    return places
