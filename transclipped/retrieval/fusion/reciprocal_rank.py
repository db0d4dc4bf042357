"""Reciprocal rank fusion: an item counts by its ranks alone, Σ_r 1 / (60 + rank_r), ranks from 1.

A list that does not reach the item adds nothing.

References:
    Cormack, Clarke & Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
    methods", doi 10.1145/1571941.1572114.
"""

from collections.abc import Sequence

import numpy as np

from transclipped.retrieval.fusion.together import together
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import united
from transclipped.retrieval.stages import Collection, stage


@stage(
    "rrf",
    kind="fusion",
    idea="Add up the reciprocal ranks, so that scores of any kind combine.",
    formula="Σᵣ 1 / (60 + rankᵣ)",
    source="Cormack et al. 2009, doi 10.1145/1571941.1572114",
    bounds={"constant": (0, 10_000)},
)
def rrf(hits: Sequence[Hits], collections: Sequence[Collection], *, constant: float = 60.0) -> Hits:
    """Hits `[Q, K]`, K the longest of the lists."""
    k = together(hits, collections)
    rows = np.concatenate([ranker.rows for ranker in hits], 1)
    values = [1 / (constant + 1 + np.arange(ranker.rows.shape[1])) for ranker in hits]
    return united(rows, np.broadcast_to(np.concatenate(values), rows.shape), k)
