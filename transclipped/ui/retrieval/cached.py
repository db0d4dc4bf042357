"""Cached calls behind the Retrieval page: keys are fingerprints, hashes and settings; all bounded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.errors import InputError
from transclipped.retrieval import speed
from transclipped.retrieval.index import FlatIndex
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.ui import cached
from transclipped.ui.turns import one_at_a_time

RERANKED = 200  # items looked at again where float search of all is not to be had


@st.cache_resource(max_entries=4, show_spinner="Opening the collection …")
def collection(fingerprint: str, path: str, stamp: int, _run: RunDir) -> Searcher:
    """Searcher of a collection; shared by all visitors, so read-only."""
    return Searcher(_run, collection=Path(path))


@st.cache_data(max_entries=512, show_spinner=False)
def embedding(engine: str, image: str, _engine: Searcher, _image: Callable[[], Image.Image]) -> np.ndarray:
    """Continuous embedding `[D]` float32 of an image, named by its content or place."""
    return _engine.embed([_image()])[0]


class _Missing(Exception):
    """Embeddings that are not in the feature cache; an exception, since what was raised is not remembered."""


def floats(run: RunDir) -> tuple[FlatIndex | None, int, str]:
    """Float search of a run's database; None with how many embeddings are missing, and why if nobody can tell."""
    try:
        return _floats(run.fingerprint, run), 0, ""
    except _Missing as missing:
        return None, missing.args[0], ""
    except (InputError, KeyError) as error:
        return None, 0, str(error)


@st.cache_resource(max_entries=2, ttl=1800, show_spinner="Looking for embeddings before coding …")
def _floats(fingerprint: str, _run: RunDir) -> FlatIndex:
    from transclipped.search.floats import database

    engine = cached.engine(fingerprint, _run)
    found = database(engine, cached.images(cached.run_data(_run)))
    if found.embeddings is None:
        raise _Missing(found.missing)
    return FlatIndex(found.embeddings, codebooks=len(engine.stored.codebooks))


@st.cache_data(max_entries=32, show_spinner="Looking again at the best images …")
@one_at_a_time
def reranked(fingerprint: str, question: str, top: int, _run: RunDir, _query: np.ndarray) -> list:
    """The best of the items that codes rank first, in order of their embeddings before coding."""
    from transclipped.search.floats import reranked

    engine = cached.engine(fingerprint, _run)
    images = cached.images(cached.run_data(_run))
    rows = engine.index.search(_query[None], RERANKED).rows[0]
    decoded = {}
    for row in rows.tolist():
        with suppress(InputError):  # damaged or deleted since
            decoded[row] = images.image(images.row_of(engine.stored.database_ids[row]))
    return reranked(engine, _query, np.array([*decoded]), [*decoded.values()])[:top] if decoded else []


@st.cache_data(max_entries=16, show_spinner="Asking with every stored query …")
def average_precision(fingerprint: str, _run: RunDir) -> np.ndarray | None:
    """AP@K `[Q]` of every stored query; None without labels."""
    from transclipped.retrieval.metrics import measure

    engine = cached.engine(fingerprint, _run)
    stored = engine.stored
    if stored.query_labels is None or stored.database_labels is None or not len(stored.queries):
        return None
    return measure(
        engine.index, stored.queries.astype(np.float32),
        query_labels=stored.query_labels, database_labels=stored.database_labels,
        k=(_run.metrics() or {}).get("k") or 1000, tie_aware=False, curve=False,
    ).average_precision  # fmt: skip


@st.cache_data(max_entries=16, show_spinner="Timing both searches …")
def times(database: str, take: int, _engine: Searcher, _queries: np.ndarray) -> speed.Times:
    """Seconds of a query by codes and by floats, measured for the `take`-th time."""
    return speed.times(_engine.index, _queries)


@st.cache_data(max_entries=64, show_spinner=False)
def precision_recall(
    database: str, question: str, wanted: tuple[str, ...], _engine: Searcher, _query: np.ndarray, _mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision `[101]` of one question over the whole ranking."""
    from transclipped.retrieval.metrics import precision_recall

    return precision_recall(_engine.index, _query[None], np.array([1]), np.where(_mask, 1, -1))


def settings(runs: dict[str, RunDir]) -> dict[str, Any]:
    """Configurations of those runs that can be searched, by name."""
    found = {}
    for name, run in runs.items():
        try:
            if (run.path / "retrieval.npz").exists():
                found[name] = run.config
        except (InputError, ValueError, TypeError):
            continue
    return found
