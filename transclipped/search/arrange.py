"""Hits filtered by class or mistake and sorted for display; each keeps its rank of the search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transclipped.search.searcher import Hit

DEPTH = 1000  # best hits that a filter looks at
ALL, SAME, OTHER = "all", "same", "other"  # kinds of hits: which share a class with the query
BEST, WORST, CLASS, MISTAKES = "best", "worst", "class", "mistakes"  # orders


@dataclass(frozen=True)
class Arrangement:
    """Which hits to show, and in which order.

    Attributes:
        classes: names; a hit with any of them passes. Empty: all pass.
        kind: ALL, SAME or OTHER; counts only where relevance is known.
        order: BEST or WORST score first; by CLASS, or MISTAKES first, and then by rank.
    """

    classes: frozenset[str] = frozenset()
    kind: str = ALL
    order: str = BEST

    @property
    def filters(self) -> bool:
        """Whether hits can be left out."""
        return bool(self.classes) or self.kind != ALL


def arranged(hits: Sequence[Hit], relevant: np.ndarray | None, how: Arrangement, *, top: int) -> list[Hit]:
    """The first `top` hits that pass, in the order asked for.

    Args:
        hits: best first.
        relevant: `[N]` bool, by row of the database; None if unknown.
    """

    def passes(hit: Hit) -> bool:
        same = None if relevant is None else bool(relevant[hit.row])
        return (not how.classes or not how.classes.isdisjoint(hit.labels)) and (
            how.kind == ALL or same is None or same == (how.kind == SAME)
        )

    result = [hit for hit in hits if passes(hit)][:top]
    if how.order == WORST:
        return result[::-1]
    if how.order == CLASS:
        return sorted(result, key=lambda hit: hit.labels)
    if how.order == MISTAKES and relevant is not None:
        return sorted(result, key=lambda hit: bool(relevant[hit.row]))
    return result
