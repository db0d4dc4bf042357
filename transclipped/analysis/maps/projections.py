"""Maps: embeddings of a run's images, to be drawn on a plane.

Positions have no unit; sizes of groups and gaps between them mean nothing (least of all in UMAP). A map should keep
neighbours in the embedding neighbours on the plane, which trustworthiness measures. Positions are computed in `plane`
and `umap_layout`, cached in `store`, selected in `selection`.
"""

from collections.abc import Iterator

import numpy as np

from transclipped.analysis.maps.plane import place_by_neighbours, sample
from transclipped.analysis.maps.store import Items, Map
from transclipped.datasets.base import ImageSet
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.store import Retrieval
from transclipped.retrieval.vectors import neighbours
from transclipped.runs.run import RunDir
from transclipped.utils.progress import Progress

SAMPLE = 10_000  # database items on a map
ENCODED = 1000  # items, at most, that a map encodes itself: some seconds
BACKBONE, CONTINUOUS, QUANTIZED = "backbone", "continuous", "quantized"
KINDS = (BACKBONE, CONTINUOUS, QUANTIZED)  # in the order of the model
QUERIES, DATABASE = "queries", "database"
SETTINGS_COMPARED = (5, 15, 50)  # n_neighbors of the same data side by side


def items(stored: Retrieval, which: str, *, limit: int = SAMPLE, seed: int = 0) -> Items:
    """Stored queries, or a sample of the database, of a run; nothing is encoded."""
    if which not in (QUERIES, DATABASE):
        raise InputError(f"cannot show {which!r}; choose {QUERIES} or {DATABASE}")
    queries = which == QUERIES
    ids, labels = (stored.query_ids, stored.query_labels) if queries else (stored.database_ids, stored.database_labels)
    rows = sample(len(ids), limit, seed=seed)
    vectors = {}
    if queries:
        vectors[CONTINUOUS] = stored.queries[rows].astype(np.float32)
        codes = encode(stored.codebooks, vectors[CONTINUOUS])
    else:
        codes = stored.codes[rows]
    vectors[QUANTIZED] = decode(stored.codebooks, codes)
    return Items(which, ids[rows], None if labels is None else labels[rows], codes, vectors)


def with_features(run: RunDir, points: Items, images: ImageSet, rows: np.ndarray) -> Items:
    """The same items, `rows` `[n]` of the image set, with backbone and continuous embeddings if all are cached."""
    features = cached_features(run, images, rows)
    if features is None:
        return points
    vectors = {BACKBONE: features, **points.vectors}
    if CONTINUOUS not in vectors:
        from transclipped.models.head import embed_in_batches

        vectors[CONTINUOUS] = embed_in_batches(run.head(), features)[0].numpy()
    order = [kind for kind in KINDS if kind in vectors]
    return Items(points.which, points.ids, points.labels, points.codes, {kind: vectors[kind] for kind in order})


def can_encode(run: RunDir, points: Items) -> bool:
    """Whether `encode_missing` may encode these items: at most `ENCODED` images, by a backbone that was not trained."""
    config = run.config
    return len(points) <= ENCODED and config.backbone.train == "frozen" and config.data.dataset != "embeddings"


def encode_missing(run: RunDir, which: str) -> Iterator[Progress]:
    """Encode the items of a run's map into the feature cache, from which `with_features` reads them.

    Raises:
        InputError: the images or the weights of the backbone are missing, or the disk is full.
    """
    from transclipped.runs.session import prepare_run, with_images_of

    session = with_images_of(prepare_run(run), run)
    points = items(run.retrieval(), which)
    yield from session.cache.fill(0, session.images.rows_of(points.ids.tolist()))


def cached_features(run: RunDir, images: ImageSet, rows: np.ndarray) -> np.ndarray | None:
    """Cached backbone embeddings `[n, F]` float16; None if any is missing. Loads no network."""
    from transclipped.features.cache import FeatureCache
    from transclipped.models.backbone import BackboneInfo

    record = run.record
    if run.config.backbone.train != "frozen" or record.get("data_fingerprint") != images.fingerprint:
        return None
    if not all(record.get(name) for name in ("backbone_fingerprint", "image_size", "width")):
        return None
    backbone = BackboneInfo(
        name=run.config.backbone.name,
        fingerprint=record["backbone_fingerprint"],
        image_size=record["image_size"],
        width=record["width"],
    )
    cache = FeatureCache(images, backbone, seed=run.config.data.seed)
    if not len(rows) or len(cache.missing(0, rows)):
        return None
    return np.asarray(cache.view(0)[rows])


def nearest_items(points: Items, item: int, k: int, *, kind: str = QUANTIZED) -> tuple[np.ndarray, np.ndarray]:
    """Rows `[k']` of the items nearest to one of them, nearest first, without itself, and their cosine distances."""
    vectors = points.vectors[kind]
    distances, rows = neighbours(vectors, vectors[item][None], k + 1)
    others = rows[0] != item
    return rows[0][others][:k], distances[0][others][:k]


def locate_query(points: Items, query: np.ndarray, maps: dict[str, Map], *, k: int) -> dict[str, list[float]]:
    """Position on each map of a query `[D]` that is not among the items, from its nearest items by their codewords."""
    rows, distances = nearest_to(points, query, k)
    return {name: place_by_neighbours(layout.xy, rows, distances).tolist() for name, layout in maps.items()}


def nearest_to(points: Items, query: np.ndarray, k: int, *, kind: str = QUANTIZED) -> tuple[np.ndarray, np.ndarray]:
    """Rows `[k']` of the items nearest to a continuous embedding `[D]`, nearest first, and their cosine distances.

    Args:
        kind: of the items' embedding, continuous or quantized.
    """
    distances, rows = neighbours(points.vectors[kind], query[None].astype(np.float32), k)
    return rows[0], distances[0]


def typical_items(points: Items, codebook: int, codeword: int, k: int) -> list[int]:
    """Rows of k items with this codeword, nearest to it first; in their order if no continuous embeddings are there."""
    rows = np.flatnonzero(points.codes[:, codebook] == codeword)
    if CONTINUOUS in points.vectors:
        m = points.codes.shape[1]
        parts = (points.vectors[kind][rows].reshape(len(rows), m, -1)[:, codebook] for kind in (CONTINUOUS, QUANTIZED))
        distances = np.square(np.subtract(*parts)).sum(1)
        rows = rows[np.argsort(distances, kind="stable")]
    return rows[:k].tolist()


def item_average_precision(stored: Retrieval, points: Items, *, k: int) -> np.ndarray | None:
    """AP@K `[n]` of every item as the query, without itself among its hits; None without labels.

    Queries are continuous; database items are too if their embedding is available, else codewords (symmetric search).
    """
    from transclipped.retrieval.index import PQIndex
    from transclipped.retrieval.metrics import average_precision
    from transclipped.retrieval.relevance import relevance

    if points.labels is None or stored.database_labels is None:
        return None
    index = PQIndex(stored.codebooks, stored.codes)
    queries = points.vectors.get(CONTINUOUS, points.vectors[QUANTIZED])
    row_of = {identity: row for row, identity in enumerate(stored.database_ids.tolist())}
    own_row = np.array([row_of.get(identity, -1) for identity in points.ids.tolist()])
    values = np.zeros(len(points))
    k = max(1, min(k, index.n - 1))
    for start in range(0, len(points), 1024):
        part = slice(start, start + 1024)
        rows = index.search(queries[part], k + 1).rows
        others = np.argsort(rows == own_row[part, None], axis=1, kind="stable")[:, :k]  # itself last
        rows = np.take_along_axis(rows, others, 1)
        values[part] = average_precision(relevance(points.labels[part], stored.database_labels, rows))[0]
    return values
