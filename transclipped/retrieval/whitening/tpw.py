"""TPW: whitening learned on another data set, then principal axes of the whitened database.

W = V (Λ + 1e-5)^(−½) whitens the outside vectors. The database whitened by W has principal axes U, of which the first
d are kept: unit((x − μ) W U_d), with μ the mean of the database. Plain whitening (PW) instead keeps the first d columns
of W, chosen by the variances of the other data set.

If the outside vectors are the database, U is the identity and TPW equals PW. So it needs a set of its own, and of more
vectors than they hold numbers: where those of the other set do not vary, W amplifies whatever the database does there.

Source: Zhang et al. 2025, UTRL, IEEE TNNLS.
"""

import numpy as np

from transclipped.retrieval.checks import same_width, training_rows
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.vectors import unit
from transclipped.retrieval.whitening.pca import pca as principal
from transclipped.retrieval.whitening.whiten import project

EPSILON = 1e-5  # added to variances; it also keeps their order where outside vectors and database agree


def fit(vectors: np.ndarray, *, dim: int = 128, outside: np.ndarray, database: np.ndarray) -> State:
    """`mean` `[D]` and `matrix` `[D, min(dim, D)]` float32; the training vectors are not used."""
    outside = training_rows(outside, "tpw", name="outside vectors")
    database = training_rows(database, "tpw", name="database vectors")
    width = database.shape[1]
    same_width("tpw", outside.shape[1], width)
    first, own = principal(outside, width), principal(database, width)
    whitening = first.matrix / np.sqrt(first.variance + EPSILON)  # [D, D]
    scatter = whitening.T @ (own.matrix * own.variance) @ own.matrix.T @ whitening  # of the whitened database
    dim = min(dim, width)
    from scipy import linalg  # slow, as in `pca`

    _, axes = linalg.eigh((scatter + scatter.T) / 2, subset_by_index=[width - dim, width - 1])  # ascending
    return {"mean": own.mean.astype(np.float32), "matrix": (whitening @ axes[:, ::-1]).astype(np.float32)}


@stage(
    "tpw",
    kind="transform",
    idea="Whiten by what another data set taught, then keep the directions in which this database differs most.",
    formula="unit((x − μ) W U_d), W = V (Λ + 1e-5)^(−½) of outside vectors, U axes of the whitened database",
    source="UTRL, doi 10.1109/TNNLS.2024.3363163",
    fit=fit,
    needs=("outside", "database"),
    bounds={"dim": (1, 2**15)},
)
def tpw(vectors: np.ndarray, state: State, *, dim: int = 128) -> np.ndarray:
    """Vectors `[N, min(dim, D)]` at unit length."""
    return unit(project(vectors, state, "tpw"))
