"""Measure a run: encode its database and queries, search three ways, write retrieval.npz and metrics.json.

Queries are stored, and measured, as float16, so that the stored file gives the same numbers again.
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

NAMED = 100  # unreadable images that metrics.json names; it counts them all

if TYPE_CHECKING:  # timm takes seconds, and a sweep, which measures a head alone, does without
    from transclipped.features.cache import Progress
    from transclipped.runs.session import Session


def measure(session: Session, run: RunDir, *, seconds: dict[str, float] | None = None) -> Iterator[Progress]:
    """Index and measure the kept model of a run; writes retrieval.npz and metrics.json, unless it is bundled.

    Args:
        seconds: of earlier stages, to be kept in the metrics; None keeps what an earlier measurement knew of them.

    Raises:
        InputError: the run has no model, or the disk is full.
    """
    from transclipped.features.cache import Progress

    _check_own(run)
    started = time.monotonic()
    database, stored = yield from _encoded(session, run)
    encoded = time.monotonic()
    images = session.images
    metrics = _facts(stored, k=session.depth(len(stored.codes)), label_kind=images.label_kind)
    modes = _modes(stored, database) if images.label_kind != "none" else {}
    for done, mode in enumerate(modes):
        yield Progress("measuring", done, len(modes), time.monotonic() - encoded)
        metrics["modes"][mode] = _ranking(stored, *modes[mode], k=metrics["k"], class_names=images.class_names)
    yield Progress("measuring", len(modes), len(modes), time.monotonic() - encoded)
    metrics |= {"selection": session.config.select, "n_queries_stored": len(stored.queries)}
    damaged = [[str(images.ids[row]), reason] for row, reason in sorted(images.unreadable.items())]
    if damaged:
        metrics["unreadable"] = {"count": len(damaged), "images": damaged[:NAMED]}
    metrics["seconds"] = (_known_seconds(run) if seconds is None else seconds) | {
        "encoding": round(encoded - started, 2),
        "measuring": round(time.monotonic() - encoded, 2),
    }
    stored.save(run.path / "retrieval.npz")
    write_json(run.path / "metrics.json", metrics)


def measure_alone(session: Session, run: RunDir) -> Iterator[Progress]:
    """`measure` a run that no process trains or measures meanwhile; refused at once if it cannot be written.

    Raises:
        InputError: as `measure`, or another process writes there.
    """
    _check_own(run)
    with hold(run.path):
        yield from measure(session, run)


def _check_own(run: RunDir) -> None:
    if ASSETS in run.path.resolve().parents:
        raise InputError(f"{run.path} is bundled and read-only; measure a copy, or add --stored")


def _known_seconds(run: RunDir) -> dict[str, float]:
    try:
        return dict((run.metrics() or {}).get("seconds", {}))
    except (InputError, AttributeError, TypeError, ValueError):  # a damaged file is about to be replaced
        return {}


def _encoded(session: Session, run: RunDir) -> Iterator[Progress]:
    """Continuous embeddings `[N, D]` of the database, and what is stored."""
    from transclipped.datasets.protocols import readable
    from transclipped.runs.session import trained_model, with_images_of

    session = with_images_of(session, run)
    backbone, head = trained_model(run, backbone=session.backbone)
    backbone, head = backbone.to(session.device), head.to("cpu")
    images = session.images
    asking, queries = yield from _features(session, backbone, session.split.query, what="encoding the queries")
    if not len(asking):  # all damaged: others are drawn
        session = replace(session, split=readable(session.split, images))
        asking, queries = yield from _features(session, backbone, session.split.query, what="encoding the queries")
    searched, items = yield from _features(session, backbone, session.split.database, what="encoding the database")
    if not len(asking) or not len(searched):
        raise InputError(f"{len(asking)} queries and {len(searched)} items can be read; is the disk with them there?")
    database, codes = (tensor.numpy() for tensor in embed_in_batches(head, items))
    queries = embed_in_batches(head, queries)[0].numpy().astype(np.float16)
    labels = images.labels
    stored = Retrieval(
        head.quantizer.codewords().detach().numpy(),
        codes,
        images.ids[searched],
        queries,
        images.ids[asking],
        None if labels is None else labels[searched],
        None if labels is None else labels[asking],
    )
    return database, stored


def measure_stored(run: RunDir, *, k: int | None = None) -> dict[str, Any]:
    """Measure the codes and queries that a run stores, by asymmetric and symmetric search; writes nothing."""
    stored = run.retrieval()
    known = run.metrics() or {}
    kind = "none" if stored.database_labels is None else ("single" if stored.database_labels.ndim == 1 else "multi")
    names = tuple(run.record.get("class_names", ()))
    depth = min(k or known.get("k") or 1000, len(stored.codes))
    metrics = {"run": str(run.path), **_facts(stored, k=depth, label_kind=kind)}
    for mode, searched in (_modes(stored, None) if kind != "none" else {}).items():
        metrics["modes"][mode] = _ranking(stored, *searched, k=depth, class_names=names)
    return metrics


def validation_map(session: Session, model: Head | Network) -> float:
    """mAP@K of the validation images against the training images by `quick_map`, in [0, 1].

    Args:
        model: a head on the session's cached features, or a network that has learned past them.
    """
    split, labels = session.split, session.images.labels
    if session.frozen:
        head, plain = model, session.cache.view(0)
        (asking, queries), (searched, database) = ((rows, plain[rows]) for rows in (split.validation, split.train))
    else:
        from transclipped.features.cache import encode as encode_images
        from transclipped.features.cache import gather

        head, width = model.head, model.backbone.width
        (asking, queries), (searched, database) = (
            gather(encode_images(model.backbone, session.images, rows, device=session.device), width=width)
            for rows in (split.validation, split.train)
        )
    return quick_map(
        head,
        queries,
        database,
        query_labels=labels[asking],
        database_labels=labels[searched],
        k=session.depth(len(searched)),
    )


def quick_map(
    head: Head,
    queries: np.ndarray,
    database: np.ndarray,
    *,
    query_labels: np.ndarray,
    database_labels: np.ndarray,
    k: int,
) -> float:
    """mAP@K of asymmetric search alone, in [0, 1]: embeddings `[Q, F]` against the codes of embeddings `[N, F]`."""
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
    """metrics.json without what is measured."""
    return {
        "k": k,
        "n_queries": len(stored.queries),
        "n_database": len(stored.codes),
        "label_kind": label_kind,
        "bytes_per_item": stored.codes.shape[1],
        "modes": {},
    }


def _modes(stored: Retrieval, database: np.ndarray | None) -> dict[str, tuple[PQIndex | FlatIndex, np.ndarray]]:
    """What is searched with which queries, by mode. `database` `[N, D]`: continuous embeddings, for float search."""
    queries = stored.queries.astype(np.float32)
    index = PQIndex(stored.codebooks, stored.codes)
    modes = {
        "asymmetric": (index, queries),
        "symmetric": (index, decode(stored.codebooks, encode(stored.codebooks, queries))),
    }
    if database is not None:
        modes["float"] = (FlatIndex(database, codebooks=len(stored.codebooks)), queries)
    return modes


def _ranking(
    stored: Retrieval,
    index: PQIndex | FlatIndex,
    queries: np.ndarray,
    *,
    k: int,
    class_names: tuple[str, ...],
) -> dict[str, Any]:
    return measure_ranking(
        index,
        queries,
        query_labels=stored.query_labels,
        database_labels=stored.database_labels,
        k=k,
        class_names=class_names,
    ).to_dict()


def _features(session: Session, backbone, rows: np.ndarray, *, what: str) -> Iterator[Progress]:
    """Those of `rows` that can be read, and their plain embeddings `[n, F]` float16: from the cache where the backbone
    is frozen."""
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
