"""Maps: embeddings drawn on a plane, how far the plane can be trusted, and what a hand picked out of it.

A map is made of unit-free positions; sizes of groups and gaps between them mean nothing (least of all in UMAP). What it
owes is that neighbours on the plane are neighbours in the embedding; trustworthiness measures just that.

Sources: Venna & Kaski 2001 (trustworthiness); McInnes et al. 2018, arXiv 1802.03426 (UMAP, run by `umap_job`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from transclipped.datasets.base import ImageSet
from transclipped.errors import InputError
from transclipped.files import cache_dir, replacing
from transclipped.retrieval.index import decode, encode
from transclipped.training.run import Retrieval, RunDir

METRICS = ("cosine", "euclidean")
SAMPLE = 10_000  # database items on a map
TRUST_NEIGHBOURS = 15  # k of trustworthiness
TRUST_ANCHORS = 1000  # points it is measured at, where there are more
CHUNK = 256  # anchors whose distances to all points are held at once
BACKBONE, CONTINUOUS, QUANTIZED = "backbone", "continuous", "quantized"
KINDS = (BACKBONE, CONTINUOUS, QUANTIZED)  # in the order of the model
QUERIES, DATABASE = "queries", "database"
SETTINGS_COMPARED = (5, 15, 50)  # n_neighbors of the same data side by side
EXACT, BLOCK, ITERATIONS = 256, 24, 40  # of PCA: widest full decomposition; else directions iterated, how often
FORMAT = 1  # of a stored map; a new one makes all old ones stale


@dataclass(frozen=True, kw_only=True)
class UmapSettings:
    """How UMAP lays out a map.

    Attributes:
        n_neighbors: size of the neighbourhood it tries to keep, 2 or more: small shows detail, large the whole.
        min_dist: smallest gap between points on the plane, in [0, 1].
        metric: of the embedding.
        seed: of the layout.
    """

    n_neighbors: int = 15
    min_dist: float = 0.1
    metric: str = "cosine"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.n_neighbors < 2:
            raise InputError(f"n_neighbors is {self.n_neighbors}; choose 2 or more")
        if not 0 <= self.min_dist <= 1:  # refuses NaN too
            raise InputError(f"min_dist is {self.min_dist}; choose from [0, 1]")
        if self.metric not in METRICS:
            raise InputError(f"metric is {self.metric!r}; choose {' or '.join(METRICS)}")


@dataclass(frozen=True)
class Map:
    """Positions `[n, 2]` float32, trustworthiness in [0, 1] (None for too few points), and how it was made."""

    xy: np.ndarray
    trustworthiness: float | None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Items:
    """What a map shows.

    Attributes:
        which: "queries" or "database".
        ids: `[n]`. labels: `[n]`, `[n, L]`, or None.
        codes: `[n, M]` uint8.
        vectors: by kind of embedding, `[n, D]` float32, the backbone's float16; quantized is always there.
    """

    which: str
    ids: np.ndarray
    labels: np.ndarray | None
    codes: np.ndarray
    vectors: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def digests(self) -> dict[str, str]:
        """What each kind of embedding holds, see `digest`; computed once, since vectors can have megabytes."""
        return {kind: digest(vectors) for kind, vectors in self.vectors.items()}


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
        rows: `[n]` of the picture set.
    """
    features = cached_features(run, images, rows)
    if features is None:
        return shown
    vectors = {BACKBONE: features, **shown.vectors}
    if CONTINUOUS not in vectors:
        from transclipped.models.network import embed_in_batches

        vectors[CONTINUOUS] = embed_in_batches(run.head(), features)[0].numpy()
    order = [kind for kind in KINDS if kind in vectors]
    return Items(shown.which, shown.ids, shown.labels, shown.codes, {kind: vectors[kind] for kind in order})


def cached_features(run: RunDir, images: ImageSet, rows: np.ndarray) -> np.ndarray | None:
    """Backbone embeddings `[n, F]` float16 that are cached already; None if any is missing. Loads no network."""
    from transclipped.training.features import FeatureCache

    known = run.record
    if run.config.backbone.train != "frozen" or known.get("data_fingerprint") != images.fingerprint:
        return None
    if not all(known.get(name) for name in ("backbone_fingerprint", "image_size", "width")):
        return None
    backbone = SimpleNamespace(
        name=run.config.backbone.name,
        fingerprint=known["backbone_fingerprint"],
        image_size=known["image_size"],
        width=known["width"],
    )
    cache = FeatureCache(images, backbone, seed=run.config.data.seed)
    if not len(rows) or len(cache.missing(0, rows)):
        return None
    return np.asarray(cache.view(0)[rows])


def sample(n: int, limit: int, *, seed: int) -> np.ndarray:
    """At most `limit` of n rows, sorted, the same for a seed."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:limit])


def pca(vectors: np.ndarray) -> Map:
    """Projection of `[n, D]` on the two directions of largest variance; immediate, and the same for all time.

    The sign of a direction is free; its largest loading is made positive. A direction without variance gives zeros.
    """
    _check(vectors)
    centred = vectors.astype(np.float64) - vectors.mean(0, dtype=np.float64)
    scatter = centred.T @ centred  # [D, D]
    variance, top = _largest(scatter)
    top = top * np.where(np.take_along_axis(top, np.abs(top).argmax(0)[None], 0) < 0, -1, 1)
    xy = np.zeros((len(vectors), 2), np.float32)
    xy[:, : top.shape[1]] = centred @ top
    total = float(np.trace(scatter))
    kept = float(variance.clip(0).sum()) / total if total > 0 else 0.0
    return Map(xy, trustworthiness(vectors, xy, metric="euclidean"), {"method": "pca", "variance": kept})


def trustworthiness(
    vectors: np.ndarray,
    xy: np.ndarray,
    *,
    k: int = TRUST_NEIGHBOURS,
    metric: str = "cosine",
    anchors: int = TRUST_ANCHORS,
    seed: int = 0,
) -> float | None:
    """How far neighbours on the map are neighbours in the embedding, 1 if all are.

        1 − 2 / (a k (2n − 3k − 1)) · Σ_i Σ_{j ∈ U_i} (r(i, j) − k)

    over a anchors i, where U_i are those of i's k nearest on the map whose rank r(i, j) in the embedding is beyond k.
    The rank of j counts the points that are strictly nearer, so ties help (scikit-learn breaks them in any order). With
    more than `anchors` points, it is measured at a draw of them, against all points.

    Args:
        vectors: `[n, D]`. xy: `[n, 2]`.

    Returns:
        A value in [0, 1], or None where n is too small for any k (n < 4).
    """
    _check(vectors)
    n = len(vectors)
    if xy.shape != (n, 2):
        raise ValueError(f"need positions [{n}, 2], got {[*xy.shape]}")
    k = min(k, (n - 1) // 2)
    if n < 4 or k < 1:
        return None
    x = unit(vectors) if metric == "cosine" else np.asarray(vectors, np.float32)
    x, y = x - x.mean(0), np.asarray(xy - xy.mean(0), np.float32)
    at = sample(n, anchors, seed=seed)
    norms = (x * x).sum(1)
    penalty = 0
    for start in range(0, len(at), CHUNK):
        rows = at[start : start + CHUNK]
        mine = np.arange(len(rows))
        far = norms[None] - 2 * (x[rows] @ x.T) + norms[rows, None]  # [c, n] squared distances
        equal = 1e-6 * far.max(1)  # rounding is no difference
        far[mine, rows] = np.inf
        flat = (y[rows, 0, None] - y[None, :, 0]) ** 2 + (y[rows, 1, None] - y[None, :, 1]) ** 2
        flat[mine, rows] = np.inf
        near = np.argpartition(flat, k - 1, axis=1)[:, :k]  # [c, k]
        for theirs in np.take_along_axis(far, near, 1).T:  # [c], distances of one neighbour each
            rank = 1 + (far < (theirs - equal)[:, None]).sum(1)
            penalty += int(np.maximum(0, rank - k).sum())
    return float(1 - penalty * 2 / (len(at) * k * (2 * n - 3 * k - 1)))


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows `[n, D]` float32 at unit length; zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(norms > 0, norms, 1), np.float32)


def neighbours(
    vectors: np.ndarray, queries: np.ndarray, k: int, *, metric: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Exact nearest rows of `[n, D]` to queries `[q, D]`, nearest first.

    Returns:
        Distances `[q, k']` float32 (1 − cosine, or Euclidean) and rows `[q, k']` int64, k' = min(k, n).
    """
    import faiss

    k = min(k, len(vectors))
    if metric == "cosine":
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(unit(vectors))
        found, rows = index.search(unit(queries), k)
        return np.maximum(0, 1 - found), rows
    index = faiss.IndexFlatL2(vectors.shape[1])
    index.add(np.ascontiguousarray(vectors, np.float32))
    found, rows = index.search(np.ascontiguousarray(queries, np.float32), k)
    return np.sqrt(np.maximum(0, found)), rows


def nearest_items(shown: Items, item: int, k: int, *, kind: str = QUANTIZED) -> np.ndarray:
    """Rows `[k']` of the items nearest to one of them, nearest first, without itself."""
    vectors = shown.vectors[kind]
    rows = neighbours(vectors, vectors[item][None], k + 1)[1][0]
    return rows[rows != item][:k]


def placed(xy: np.ndarray, rows: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Where a newcomer belongs on a map: the mean of its neighbours' places `[2]`, the nearest counting most.

    Weights are e^{−(d − d_min)/σ}, σ the mean of d − d_min: UMAP's own, with a simpler σ.

    Args:
        rows, distances: `[k]` of its neighbours in the embedding.
    """
    if not len(rows):
        raise ValueError("a newcomer without neighbours has no place")
    beyond = np.asarray(distances, np.float64) - np.min(distances)
    scale = beyond.mean()
    weights = np.exp(-beyond / scale) if scale > 0 else np.ones(len(rows))
    return (weights[:, None] * xy[rows]).sum(0) / weights.sum()


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
    from transclipped.retrieval.index import CodeIndex
    from transclipped.retrieval.metrics import average_precision, relevance

    if shown.labels is None or stored.database_labels is None:
        return None
    index = CodeIndex(stored.codebooks, stored.codes)
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


def row_of_id(shown: Items, name: str | None) -> int | None:
    """Row of the item whose id is spelled so, None if there is none."""
    found = np.flatnonzero(shown.ids.astype(str) == name) if name else ()
    return int(found[0]) if len(found) else None


def chosen(sent: Any, n: int) -> np.ndarray:
    """Rows that a browser says were chosen, sorted and each once; whatever is no row of n is passed over."""
    if not isinstance(sent, Iterable) or isinstance(sent, str | bytes | dict):
        return np.zeros(0, np.int64)
    rows = {int(r) for r in sent if isinstance(r, int | float) and not isinstance(r, bool) and r == r // 1}
    return np.array(sorted(r for r in rows if 0 <= r < n), np.int64)


def selection_table(shown: Items, rows: np.ndarray, class_names: list[str], maps: dict[str, np.ndarray]) -> dict:
    """Columns of an export: id, labels, code (hexadecimal), and the position on each map `[n, 2]`."""
    from transclipped.engine import label_names

    table: dict[str, list] = {"id": shown.ids[rows].tolist()}
    if shown.labels is not None:
        table["labels"] = [";".join(label_names(shown.labels, int(row), class_names)) for row in rows]
    table["code"] = [shown.codes[row].tobytes().hex() for row in rows]
    for name, xy in maps.items():
        table[f"{name} x"], table[f"{name} y"] = xy[rows, 0].tolist(), xy[rows, 1].tolist()
    return table


def to_csv(table: dict[str, list]) -> bytes:
    """UTF-8 with a header; a cell is quoted where it must be."""
    import csv

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table)
    writer.writerows(zip(*table.values(), strict=True))
    return text.getvalue().encode()


def to_parquet(table: dict[str, list]) -> bytes:
    """One row group, the columns of the table."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(table), buffer)
    return buffer.getvalue()


def digest(vectors: np.ndarray) -> str:
    """64 hex digits of vectors `[n, D]` as float32."""
    content = hashlib.sha256(str(vectors.shape).encode())
    content.update(np.ascontiguousarray(vectors, np.float32))
    return content.hexdigest()


def map_key(content: str, settings: UmapSettings) -> str:
    """Name of a stored map: 16 hex digits of the `digest` of its vectors and the settings."""
    return hashlib.sha256(f"{FORMAT} {sorted(asdict(settings).items())} {content}".encode()).hexdigest()[:16]


def stored_map(key: str) -> Map | None:
    """A map that was computed before; None if there is none that can be read."""
    try:
        with np.load(maps_dir() / f"{key}.npz", allow_pickle=False) as file:
            trust = float(file["trustworthiness"])
            return Map(file["xy"], None if np.isnan(trust) else trust, {"method": "umap"})
    except Exception:  # missing or torn: numpy and zipfile raise many kinds; it is made anew
        return None


def store_map(key: str, found: Map) -> Path:
    """Write a map, atomically."""
    path = maps_dir() / f"{key}.npz"
    trust = np.nan if found.trustworthiness is None else found.trustworthiness
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, xy=found.xy.astype(np.float32), trustworthiness=trust)
    return path


def maps_dir() -> Path:
    """Folder of computed maps."""
    return cache_dir() / "maps"


def _largest(scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The two largest eigenvalues `[2]` and their vectors `[D, 2]` of a symmetric `[D, D]`, or fewer if D = 1.

    Large ones by iterating a block (a full decomposition of 1,280 × 1,280 takes seconds).
    """
    d = len(scatter)
    if d <= EXACT:
        values, vectors = np.linalg.eigh(scatter)  # ascending
        return values[::-1][:2], vectors[:, ::-1][:, :2]
    block = np.random.default_rng(0).normal(size=(d, BLOCK))
    for _ in range(ITERATIONS):
        block = scatter @ block
        lengths, turn = np.linalg.eigh(block.T @ block)  # makes it orthonormal, faster than QR
        some = lengths > lengths[-1] * 1e-12
        if not some.any():  # no variance at all
            return np.zeros(2), np.zeros((d, 2))
        block = block @ turn[:, some] / np.sqrt(lengths[some])
    block, _ = np.linalg.qr(block)
    values, vectors = np.linalg.eigh(block.T @ scatter @ block)
    return values[::-1][:2], block @ vectors[:, ::-1][:, :2]


def _check(vectors: np.ndarray) -> None:
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise InputError(f"a map needs finite vectors [n, D], got {[*vectors.shape]}; measure the run again")
