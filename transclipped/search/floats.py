"""Float search beside a run's codes, by its database's embeddings from the feature cache.

If some are missing there, the best hits by codes can still be embedded again and re-ranked by their embeddings.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from transclipped.datasets.base import ImageSet
from transclipped.features.cache import FeatureCache
from transclipped.models.head import embed_in_batches
from transclipped.retrieval.index import FlatIndex
from transclipped.search.searcher import Hit, Searcher

BLOCK = 16_384  # rows of features read at once


@dataclass(frozen=True)
class Database:
    """Continuous embeddings `[N, D]` float32 of a database, in its order; None with the number of missing ones."""

    embeddings: np.ndarray | None
    missing: int


def database(searcher: Searcher, images: ImageSet) -> Database:
    """Embeddings of a run's database in the feature cache. Raises InputError if the model cannot be loaded."""
    backbone, head = searcher.model
    config = searcher.run.config
    rows = images.rows_of(searcher.stored.database_ids.tolist())
    cache = FeatureCache(
        images, backbone if config.backbone.train == "frozen" else backbone.refreshed(), seed=config.data.seed
    )
    if missing := len(cache.missing(0, rows)):
        return Database(None, missing)
    features = cache.view(0)
    parts = [embed_in_batches(head, features[rows[at : at + BLOCK]])[0].numpy() for at in range(0, len(rows), BLOCK)]
    return Database(np.concatenate(parts), 0)


def search(searcher: Searcher, index: FlatIndex, query: np.ndarray, *, top: int) -> list[Hit]:
    """The `top` items most similar to a continuous embedding `[D]` before coding."""
    hits = index.search(query[None], top)
    return searcher.hits(query, hits.rows[0], hits.scores[0])


def reranked(searcher: Searcher, query: np.ndarray, rows: np.ndarray, images: list[Image.Image]) -> list[Hit]:
    """Rows `[k]` of the database, embedded again from their images and sorted, best first."""
    scores = searcher.embed(images) @ query.astype(np.float32) / np.float32(len(searcher.index.codebooks))
    order = np.lexsort((rows, -scores))
    return searcher.hits(query, rows[order], scores[order])
