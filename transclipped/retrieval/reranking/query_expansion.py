"""Query expansion: a query moves towards its first hits, and the search is repeated.

    q' = q + Σ_{i ≤ k} max(0, s_i)^α x_i

with the k best hits x_i and their scores s_i. α = 0 counts every hit alike. A query that is one vector keeps its new
length, which no ranking depends on; of codes, each sub-vector is scaled back to unit length, so that all codebooks keep
equal weight.

References:
    Chum et al. 2007, "Total recall: automatic query expansion with a generative feature model for object retrieval".
    Radenović et al. 2018, "Fine-tuning CNN image retrieval with no human annotation", arXiv 1711.02512 (α).
"""

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import Moved, as_queries, codebooks, dots, parts, start
from transclipped.retrieval.stages import Collection, stage
from transclipped.retrieval.vectors import unit


@stage(
    "qe",
    kind="reranking",
    idea="Search again with the sum of the query and its first hits.",
    formula="q + Σ_{i ≤ k} xᵢ",
    source="Chum et al. 2007, doi 10.1109/ICCV.2007.4408891",
    bounds={"k": (0, 1000)},
)
def qe(hits: Hits, collection: Collection, *, k: int = 10) -> Hits:
    """Hits `[Q, K]` of the moved queries."""
    return aqe(hits, collection, k=k, alpha=0.0)


@stage(
    "aqe",
    kind="reranking",
    idea="Search again with the query and its first hits, weighted by how similar they are.",
    formula="q + Σ_{i ≤ k} max(0, sᵢ)^α xᵢ",
    source="arXiv 1711.02512",
    bounds={"k": (0, 1000), "alpha": (0, 100)},
)
def aqe(hits: Hits, collection: Collection, *, k: int = 10, alpha: float = 3.0) -> Hits:
    """Hits `[Q, K]` of the moved queries."""
    queries = start(hits, collection)
    rows, items = hits.rows[:, :k], as_queries(collection)
    with np.errstate(over="ignore"):
        weights = np.maximum(0, dots(queries, collection.items, rows)) ** np.float32(alpha)
    if not np.isfinite(weights).all():
        raise InputError(f"similarities to the power of {alpha:g} are too large; write l2 before the code")
    moved = queries.copy()
    for part in parts(len(rows), rows.shape[1] * items.shape[1]):
        moved[part] += np.einsum("ij,ijd->id", weights[part], items[rows[part]])
    return search_again(moved, hits, collection)


def search_again(moved: np.ndarray, hits: Hits, collection: Collection) -> Moved:
    """As many hits of moved queries `[Q, D]` as there were; of codes, with sub-vectors at unit length."""
    m = codebooks(collection)
    if m > 1:
        moved = unit(moved.reshape(len(moved), m, -1)).reshape(moved.shape)
    again = collection.search(moved, hits.rows.shape[1])
    return Moved(again.scores, again.rows, moved)
