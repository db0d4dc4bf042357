"""Exact re-ranking: the hits by codes, sorted by their vectors before coding.

The first search reads codes alone; only the K hits of a query are compared by ⟨q, x⟩ of their float vectors.
"""

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits, ordered
from transclipped.retrieval.lists import dots, start
from transclipped.retrieval.stages import Collection, stage


@stage(
    "exact",
    kind="reranking",
    idea="Sort the hits by their vectors before coding.",
    formula="⟨q, xᵢ⟩",
    source="Jégou et al. 2011, doi 10.1109/ICASSP.2011.5946540",
    needs=("floats",),
)
def exact(hits: Hits, collection: Collection) -> Hits:
    """The same items `[Q, K]`. Raises InputError if the collection has no float vectors, or others than its own."""
    start(hits, collection)
    if collection.floats is None:
        raise InputError("exact re-ranking needs the vectors before coding, and these are not stored; leave it out")
    queries, items = (np.asarray(x, np.float32) for x in collection.floats)
    if len(queries) != len(hits.rows) or len(items) != collection.index.n or queries.shape[1] != items.shape[1]:
        raise InputError(
            f"vectors {[*queries.shape]} and {[*items.shape]} do not belong to {len(hits.rows)} queries and "
            f"{collection.index.n} items; encode them again"
        )
    scores = dots(queries, items, hits.rows)
    if not np.isfinite(scores).all():
        raise InputError("vectors before coding contain NaN or infinity; remove them before indexing")
    return Hits(*ordered(scores, hits.rows))
