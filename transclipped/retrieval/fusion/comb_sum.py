"""Sum of scores: an item counts by what all rankers give it.

    Σ_r s'_r(i),  s' = (s − s_last) / (s_first − s_last)

of each query's list, so that scores of different kinds weigh alike; an item that a list does not reach counts 0.
`scaled=False` sums the scores as they are, and an absent item counts as the list's last.

References:
    Fox & Shaw 1994, "Combination of multiple searches", TREC-2 (CombSUM).
    Lee 1997, "Analyses of multiple evidence combination", SIGIR (scaling).
"""

from collections.abc import Sequence

import numpy as np

from transclipped.retrieval.fusion.together import together
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import united
from transclipped.retrieval.stages import Collection, stage


@stage(
    "sum",
    kind="fusion",
    idea="Add up the scores of all rankers.",
    formula="Σᵣ (sᵣ − min sᵣ) / (max sᵣ − min sᵣ)",
    source="Fox & Shaw 1994",
)
def comb_sum(hits: Sequence[Hits], collections: Sequence[Collection], *, scaled: bool = True) -> Hits:
    """Hits `[Q, K]`, K the longest of the lists."""
    k = together(hits, collections)
    values, least = [], np.zeros(len(hits[0].rows))
    for ranker in hits:
        last = ranker.scores.min(1, initial=np.inf, keepdims=True)
        width = ranker.scores.max(1, initial=-np.inf, keepdims=True) - last
        value = (ranker.scores - last).astype(np.float64)
        values.append(value / np.where(width > 0, width, 1) if scaled else value)
        least += 0 if scaled else last[:, 0]
    result = united(np.concatenate([r.rows for r in hits], 1), np.concatenate(values, 1), k)
    return Hits((result.scores + least[:, None]).astype(np.float32), result.rows)
