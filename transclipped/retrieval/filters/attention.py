"""UTRL's two attentions as a filter: maps are weighted by where an object is and by its strongest place.

Source: Zhang et al. 2025, UTRL, IEEE TNNLS; see `retrieval.aggregation.utrl`.
"""

import numpy as np

from transclipped.retrieval.aggregation.utrl import attentions, fit
from transclipped.retrieval.checks import places, same_width
from transclipped.retrieval.stages import State, stage


@stage(
    "attention",
    kind="filter",
    idea="Weight places by where an object is and by how near they are to its strongest place.",
    formula="(A + A₁) F, A = √(S²G/‖S²G‖), S = Σ_{c ∈ V} F_c",
    source="UTRL, doi 10.1109/TNNLS.2024.3363163",
    fit=fit,
)
def attention(maps: np.ndarray, state: State, *, faithful: bool = False) -> np.ndarray:
    """Weighted maps `[B, C, h, w]`, negative values taken as 0."""
    x = places(maps)
    same_width("attention", len(state["channels"]), x.shape[3])
    return (x * sum(attentions(x, state["channels"], faithful=faithful))[..., None]).transpose(0, 3, 1, 2)
