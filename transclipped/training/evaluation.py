"""Measure a run: encode its database and queries, search in three modes, write retrieval.npz and metrics.json.

Queries are stored and measured as float16, so that the stored file reproduces the numbers.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from transclipped.errors import InputError
from transclipped.models.head import Head, Network, embed_in_batches
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.metrics import measure as measure_ranking
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS, hold, write_json

NAMED = 100  # limit of the unreadable images listed in metrics.json

if TYPE_CHECKING:  # timm takes seconds to import, and a sweep measures a head without it
    from transclipped.features.cache import Progress
    from transclipped.runs.session import Session


def measure(session: Session, run: RunDir, *, seconds: dict[str, float] | None = None) -> Iterator[Progress]:
    """Index and measure the saved model of a run; writes retrieval.npz and metrics.json.

    Args:
        seconds: of earlier stages, for the metrics; None keeps those of an earlier measurement.

    Raises:
        InputError: the run is bundled or has no model, or the disk is full.
    """
    from transclipped.features.cache import Progress

    _check_writable(run)
    started = time.monotonic()
    database, stored = yield from _encode(session, run)
    encoded = time.monotonic()
    images = session.images
    metrics = _facts(stored, k=session.depth(len(stored.codes)), label_kind=images.label_kind)
    modes = _modes(stored, database) if images.label_kind != "none" else {}
    for done, mode in enumerate(modes):
        yield Progress("measuring", done, len(modes), time.monotonic() - encoded)
        metrics["modes"][mode] = _ranking(stored, *modes[mode], k=metrics["k"], class_names=images.class_names)
    yield Progress("measuring", len(modes), len(modes), time.monotonic() - encoded)
    metrics |= {"selection": session.config.select, "n_queries_stored": len(stored.queries)}
    if damaged := [[str(images.ids[row]), reason] for row, reason in sorted(images.unreadable.items())]:
        metrics["unreadable"] = {"count": len(damaged), "images": damaged[:NAMED]}
    metrics["seconds"] = (_earlier_seconds(run) if seconds is None else seconds) | {
        "encoding": round(encoded - started, 2),
        "measuring": round(time.monotonic() - encoded, 2),
    }
    stored.save(run.path / "retrieval.npz")
    write_json(run.path / "metrics.json", metrics)


def measure_locked(session: Session, run: RunDir) -> Iterator[Progress]:
    """`measure` a run while holding its lock.

    Raises:
        InputError: as `measure`, or another process writes to the run.
    """
    _check_writable(run)
    with hold(run.path):
        yield from measure(session, run)


def _check_writable(run: RunDir) -> None:
    if ASSETS in run.path.resolve().parents:
        raise InputError(f"{run.path} is bundled and read-only; measure a copy, or add --stored")


def _earlier_seconds(run: RunDir) -> dict[str, float]:
    try:
        return dict((run.metrics() or {}).get("seconds", {}))
    except (InputError, AttributeError, TypeError, ValueError):  # a damaged file will be replaced
        return {}


def _encode(session: Session, run: RunDir) -> Iterator[Progress]:
    """Continuous embeddings `[N, D]` of the database, and the arrays to store."""
    from transclipped.datasets.protocols import readable
    from transclipped.runs.session import trained_model, with_images_of

    session = with_images_of(session, run)
    backbone, head = trained_model(run, backbone=session.backbone)
    backbone, head = backbone.to(session.device), head.to("cpu")
    images, labels = session.images, session.images.labels
    query_rows, queries = yield from _features(session, backbone, session.split.query, what="encoding the queries")
    if not len(query_rows):  # all damaged, so draw others
        session = replace(session, split=readable(session.split, images))
        query_rows, queries = yield from _features(session, backbone, session.split.query, what="encoding the queries")
    rows, items = yield from _features(session, backbone, session.split.database, what="encoding the database")
    if not len(query_rows) or not len(rows):
        raise InputError(f"only {len(query_rows)} queries and {len(rows)} items are readable; is their disk connected?")
    database, codes = (tensor.numpy() for tensor in embed_in_batches(head, items))
    queries = embed_in_batches(head, queries)[0].numpy().astype(np.float16)
    database_labels, query_labels = (None if labels is None else labels[r] for r in (rows, query_rows))
    codebooks, ids, query_ids = head.quantizer.codewords().detach().numpy(), images.ids[rows], images.ids[query_rows]
    return database, Retrieval(codebooks, codes, ids, queries, query_ids, database_labels, query_labels)


def measure_stored(run: RunDir, *, k: int | None = None) -> dict[str, Any]:
    """Measure the stored codes and queries of a run by asymmetric and symmetric search; writes nothing."""
    stored = run.retrieval()
    kind = "none" if stored.database_labels is None else ("single" if stored.database_labels.ndim == 1 else "multi")
    names = tuple(run.record.get("class_names", ()))
    metrics = run.metrics() or {}
    depth = min(k or metrics.get("k") or 1000, len(stored.codes))
    metrics = {"run": str(run.path), **_facts(stored, k=depth, label_kind=kind)}
    for mode, search in (_modes(stored, None) if kind != "none" else {}).items():
        metrics["modes"][mode] = _ranking(stored, *search, k=depth, class_names=names)
    return metrics


def validation_map(session: Session, model: Head | Network) -> float:
    """mAP@K of the validation images against the training images by `quick_map`, in [0, 1].

    Args:
        model: a head on the session's cached features, or a network with a trained backbone.
    """
    labels, sets = session.images.labels, (session.split.validation, session.split.train)
    if session.frozen:
        head, plain = model, session.cache.view(0)
        (query_rows, queries), (database_rows, database) = ((rows, plain[rows]) for rows in sets)
    else:
        from transclipped.features.cache import encode as encode_images
        from transclipped.features.cache import gather

        head, width = model.head, model.backbone.width
        (query_rows, queries), (database_rows, database) = (
            gather(encode_images(model.backbone, session.images, rows, device=session.device), width=width)
            for rows in sets
        )
    both = {"query_labels": labels[query_rows], "database_labels": labels[database_rows]}
    return quick_map(head, queries, database, **both, k=session.depth(len(database_rows)))


def quick_map(
    head: Head,
    queries: np.ndarray,
    database: np.ndarray,
    *,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    k: int,
) -> float:
    """mAP@K of asymmetric search, in [0, 1]: embeddings `[Q, F]` against the codes of embeddings `[N, F]`."""
    codes = embed_in_batches(head, database)[1].numpy()
    return measure_ranking(
        PQIndex(head.quantizer.codewords().detach().cpu().numpy(), codes),
        embed_in_batches(head, queries)[0].numpy(),
        query_labels=query_labels,
        database_labels=database_labels,
        k=k,
        tie_aware=False,
        curve=False,
    ).map


def _facts(stored: Retrieval, *, k: int, label_kind: str) -> dict[str, Any]:
    """The sizes in metrics.json."""
    return {
        "k": k,
        "n_queries": len(stored.queries),
        "n_database": len(stored.codes),
        "label_kind": label_kind,
        "bytes_per_item": stored.codes.shape[1],
        "modes": {},
    }


def _modes(stored: Retrieval, database: np.ndarray | None) -> dict[str, tuple[PQIndex | FlatIndex, np.ndarray]]:
    """Index and queries by mode; float search needs the continuous embeddings `database` `[N, D]`."""
    queries = stored.queries.astype(np.float32)
    index = PQIndex(stored.codebooks, stored.codes)
    modes = {
        "asymmetric": (index, queries),
        "symmetric": (index, decode(stored.codebooks, encode(stored.codebooks, queries))),
    }
    if database is not None:
        modes["float"] = (FlatIndex(database, codebooks=len(stored.codebooks)), queries)
    return modes


def _ranking(stored: Retrieval, index: PQIndex | FlatIndex, queries: np.ndarray, **options: Any) -> dict[str, Any]:
    labels = {"query_labels": stored.query_labels, "database_labels": stored.database_labels}
    return measure_ranking(index, queries, **labels, **options).to_dict()


def _features(session: Session, backbone, rows: np.ndarray, *, what: str) -> Iterator[Progress]:
    """The readable `rows` and their plain embeddings `[n, F]` float16, from the cache if the backbone is frozen."""
    from transclipped.features.cache import Progress, gather
    from transclipped.features.cache import encode as encode_images

    if session.frozen:
        yield from session.cache.fill(0, rows, device=session.device)
        rows = session.images.readable(rows)
        return rows, session.cache.view(0)[rows]
    parts, started, done = [], time.monotonic(), 0
    for batch, features in encode_images(backbone, session.images, rows, device=session.device):
        parts.append((batch, features))
        done += len(batch)
        yield Progress(what, done, len(rows), time.monotonic() - started)
    return gather(parts, width=backbone.width)
