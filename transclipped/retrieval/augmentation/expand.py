"""Query expansion before coding: a query becomes a mean of its nearest items of the database.

x becomes unit(Σ_j s_j^α x_j) over the k most similar items as they reach this stage, with similarity s_j (negative ones
as 0). Items and training views stay as they are, so after `smooth` a query has been averaged once more than an item:
its neighbourhood is wider, and nothing that is coded changes. The re-rankings `qe` and `aqe` do the same with decoded
items, after a first search. The vectors of the database stay at hand, which counts as bytes of an item.

Source: Chum et al. 2007, "Total recall: automatic query expansion with a generative feature model for object
retrieval".
"""

import numpy as np

from transclipped.retrieval.augmentation.smooth import fit, smooth
from transclipped.retrieval.stages import State, stage


@stage(
    "expand",
    kind="transform",
    queries_only=True,
    idea="Replace every query, but no item, by a mean of its nearest items of the database.",
    formula="q ← unit(Σ_{j ∈ kNN(q)} s_j^α x_j)",
    source="Chum et al. 2007, doi 10.1109/ICCV.2007.4408891",
    fit=fit,
    needs=("database",),
    bounds={"k": (1, 1000), "alpha": (0, 20)},
)
def expand(vectors: np.ndarray, state: State, *, k: int = 20, alpha: float = 0.0) -> np.ndarray:
    """Expanded queries `[Q, D]` float32 at unit length."""
    return smooth(vectors, state, k=k, alpha=alpha)
