"""Numbers of different kinds on one scale: (x − μ) / σ, with mean and standard deviation of each over training vectors.

A number that never changes becomes 0. For whitening, which also removes correlations, see `whiten`.
"""

import numpy as np

from transclipped.retrieval.checks import training_rows
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.whiten import project


def fit(vectors: np.ndarray) -> State:
    """`mean` `[D]` and `matrix` `[D, D]`, diagonal, float32."""
    x = training_rows(vectors, "standardise").astype(np.float64)
    mean, deviation = x.mean(0), x.std(0)
    constant = deviation <= 1e-6 * np.abs(mean)  # what differs by rounding alone
    scale = np.where(constant, 0, 1 / np.where(constant, 1, deviation))
    return {"mean": mean.astype(np.float32), "matrix": np.diag(scale).astype(np.float32)}


@stage(
    "standardise",
    kind="transform",
    idea="Put numbers of different kinds on one scale.",
    formula="(x − μ) / σ",
    source="Serrano et al. 2010, ICPR",
    fit=fit,
)
def standardise(vectors: np.ndarray, state: State) -> np.ndarray:
    """Vectors `[N, D]` whose numbers vary alike."""
    return project(vectors, state, "standardise")
