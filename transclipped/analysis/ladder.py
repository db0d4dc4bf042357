"""How hits move from one ranking to the next."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def moves(before: Sequence[np.ndarray], after: np.ndarray) -> list[int | None]:
    """Ranks that each hit has gained: positive where it moved up, None where it is new.

    Args:
        before: rows of earlier rankings, best first; of several, such as those that a fusion combines, a hit's best
            place counts. None of them, and nothing has moved.
        after: rows `[K]` of the later ranking.

    Examples:
        >>> moves([np.array([7, 8, 9])], np.array([9, 7, 5]))
        [2, -1, None]
    """
    if not before:
        return [0] * len(after)
    best: dict[int, int] = {}
    for ranking in before:
        for place, row in enumerate(ranking.tolist()):
            best[row] = min(place, best.get(row, place))
    return [best[row] - place if row in best else None for place, row in enumerate(after.tolist())]


def compared(n: int, *, branches: int = 0) -> list[list[int]]:
    """Rungs that each of n is compared with: the one before; of a fusion, all `branches`, which have none themselves.

    Examples:
        >>> compared(3)
        [[], [0], [1]]
        >>> compared(4, branches=2)
        [[], [], [0, 1], [2]]
    """
    first = max(1, branches)
    return [[] if i < first else list(range(branches)) if i == branches else [i - 1] for i in range(n)]
