"""Maps: embeddings drawn on a plane, and what stands on it.

A map is made of unit-free positions; sizes of groups and gaps between them mean nothing (least of all in UMAP). What it
owes is that neighbours on the plane are neighbours in the embedding; trustworthiness measures just that.

Positions are made in `plane` and `umap_layout`, kept in `map_store`, picked from in `map_selection`; what a page takes
from there can be had here too.
"""

from __future__ import annotations

import numpy as np

from transclipped.analysis.maps.items import Items
from transclipped.analysis.maps.plane import pca, placed, sample
from transclipped.analysis.maps.selection import chosen, row_of_id, selection_table, to_csv, to_parquet
from transclipped.analysis.maps.store import METRICS, Map, UmapSettings, digest, map_key, store_map, stored_map
from transclipped.datasets.base import ImageSet
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.vectors import neighbours
from transclipped.runs.run import RunDir

__all__ = [
    "BACKBONE",
    "CONTINUOUS",
    "DATABASE",
    "KINDS",
    "METRICS",
    "QUANTIZED",
    "QUERIES",
    "SAMPLE",
    "SETTINGS_COMPARED",
    "Items",
    "Map",
    "UmapSettings",
    "cached_features",
    "chosen",
    "digest",
    "item_average_precision",
    "items",
    "map_key",
    "nearest_items",
    "newcomer",
    "pca",
    "row_of_id",
    "selection_table",
    "store_map",
    "stored_map",
    "to_csv",
    "to_parquet",
    "with_features",
]

SAMPLE = 10_000  # database items on a map
BACKBONE, CONTINUOUS, QUANTIZED = "backbone", "continuous", "quantized"
KINDS = (BACKBONE, CONTINUOUS, QUANTIZED)  # in the order of the model
QUERIES, DATABASE = "queries", "database"
SETTINGS_COMPARED = (5, 15, 50)  # n_neighbors of the same data side by side


def items(stored: Retrieval, which: str, *, limit: int = SAMPLE, seed: int = 0) -> Items:
    """What a run stores of its queries or of a sample of its database; nothing is encoded.

    Raises:
        InputError: `which` is neither.
    """
    if which not in (QUERIES, DATABASE):
        raise InputError(f"cannot show {which!r}; choose {QUERIES} or {DATABASE}")
    asked = which == QUERIES
    ids, labels = (stored.query_ids, stored.query_labels) if asked else (stored.database_ids, stored.database_labels)
    rows = sample(len(ids), limit, seed=seed)
    vectors = {}
    if asked:
        vectors[CONTINUOUS] = stored.queries[rows].astype(np.float32)
        codes = encode(stored.codebooks, vectors[CONTINUOUS])
    else:
        codes = stored.codes[rows]
    vectors[QUANTIZED] = decode(stored.codebooks, codes)
    return Items(which, ids[rows], None if labels is None else labels[rows], codes, vectors)


def with_features(run: RunDir, shown: Items, images: ImageSet, rows: np.ndarray) -> Items:
    """The same items with backbone and continuous embeddings, where the feature cache holds all of them.

    Args:
        rows: `[n]` of the image set.
    """
    features = cached_features(run, images, rows)
    if features is None:
        return shown
    vectors = {BACKBONE: features, **shown.vectors}
    if CONTINUOUS not in vectors:
        from transclipped.models.head import embed_in_batches

        vectors[CONTINUOUS] = embed_in_batches(run.head(), features)[0].numpy()
    order = [kind for kind in KINDS if kind in vectors]
    return Items(shown.which, shown.ids, shown.labels, shown.codes, {kind: vectors[kind] for kind in order})


def cached_features(run: RunDir, images: ImageSet, rows: np.ndarray) -> np.ndarray | None:
    """Backbone embeddings `[n, F]` float16 that are cached already; None if any is missing. Loads no network."""
    from transclipped.features.cache import FeatureCache
    from transclipped.models.backbone import BackboneInfo

    known = run.record
    if run.config.backbone.train != "frozen" or known.get("data_fingerprint") != images.fingerprint:
        return None
    if not all(known.get(name) for name in ("backbone_fingerprint", "image_size", "width")):
        return None
    backbone = BackboneInfo(
        name=run.config.backbone.name,
        fingerprint=known["backbone_fingerprint"],
        image_size=known["image_size"],
        width=known["width"],
    )
    cache = FeatureCache(images, backbone, seed=run.config.data.seed)
    if not len(rows) or len(cache.missing(0, rows)):
        return None
    return np.asarray(cache.view(0)[rows])


def nearest_items(shown: Items, item: int, k: int, *, kind: str = QUANTIZED) -> np.ndarray:
    """Rows `[k']` of the items nearest to one of them, nearest first, without itself."""
    vectors = shown.vectors[kind]
    rows = neighbours(vectors, vectors[item][None], k + 1)[1][0]
    return rows[rows != item][:k]


def newcomer(
    shown: Items, query: np.ndarray, maps: dict[str, Map], *, k: int
) -> tuple[dict[str, list[float]], list[int]]:
    """A query `[D]` that is not among the items: its place on each map, and its nearest items by their codewords."""
    distances, rows = neighbours(shown.vectors[QUANTIZED], query[None].astype(np.float32), k)
    places = {name: placed(found.xy, rows[0], distances[0]).tolist() for name, found in maps.items()}
    return places, rows[0].tolist()


def item_average_precision(stored: Retrieval, shown: Items, *, k: int) -> np.ndarray | None:
    """AP@K `[n]` of every item as the query, itself left out of its hits; None without labels.

    Queries ask as they are, database items by their codewords (symmetric search) or, where known, by their embedding.
    """
    from transclipped.retrieval.index import PQIndex
    from transclipped.retrieval.metrics import average_precision
    from transclipped.retrieval.relevance import relevance

    if shown.labels is None or stored.database_labels is None:
        return None
    index = PQIndex(stored.codebooks, stored.codes)
    asked = shown.vectors.get(CONTINUOUS, shown.vectors[QUANTIZED])
    row_of = {identity: row for row, identity in enumerate(stored.database_ids.tolist())}
    own = np.array([row_of.get(identity, -1) for identity in shown.ids.tolist()])
    values = np.zeros(len(shown))
    k = max(1, min(k, index.n - 1))
    for start in range(0, len(shown), 1024):
        part = slice(start, start + 1024)
        rows = index.search(asked[part], k + 1).rows
        others = np.argsort(rows == own[part, None], axis=1, kind="stable")[:, :k]  # itself goes last
        rows = np.take_along_axis(rows, others, 1)
        values[part] = average_precision(relevance(shown.labels[part], stored.database_labels, rows))[0]
    return values
