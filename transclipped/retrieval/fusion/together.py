"""What rankers must share to be fused: queries and database."""

from collections.abc import Sequence

import numpy as np

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits
from transclipped.retrieval.stages import Collection


def together(hits: Sequence[Hits], collections: Sequence[Collection]) -> int:
    """The longest list. Raises InputError if rankers answer different queries or rank different databases."""
    if not hits or len(hits) != len(collections):
        raise InputError(f"fusion needs one or more rankers, each with its collection, got {len(hits)}")
    for what, counts in (
        ("queries", {len(ranker.rows) for ranker in hits}),
        ("items", {collection.index.n for collection in collections}),
    ):
        if len(counts) > 1:
            raise InputError(f"rankers have different numbers of {what}, {sorted(counts)}; fuse those of one data set")
    if not all(np.isfinite(ranker.scores).all() for ranker in hits):
        raise InputError("scores contain NaN or infinity; remove these vectors before the search")
    return max(ranker.rows.shape[1] for ranker in hits)
