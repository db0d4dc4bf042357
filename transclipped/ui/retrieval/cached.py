"""Cached calls behind the Retrieval page: keys are fingerprints, hashes and settings; all bounded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

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

RERANKED = 200  # best hits by codes that are reranked where float search of the whole database is unavailable


@st.cache_resource(max_entries=4, show_spinner="Opening the collection …")
def collection(fingerprint: str, path: str, stamp: int, _run: RunDir) -> Searcher:
    """Searcher of a collection; shared by all visitors, so read-only."""
    return Searcher(_run, collection=Path(path))


@st.cache_data(max_entries=512, show_spinner=False)
def embedding(target: str, image: str, _searcher: Searcher, _image: Callable[[], Image.Image]) -> np.ndarray:
    """Continuous embedding `[D]` float32 of an image, identified by its key."""
    return _searcher.embed([_image()])[0]


class _Missing(Exception):
    """Embeddings that are not in the feature cache; an exception, since `st.cache_resource` does not store those."""


def floats(run: RunDir) -> tuple[FlatIndex | None, int, str]:
    """Float index of a run's database; None with the number of missing embeddings, or with another reason."""
    try:
        return _floats(run.fingerprint, run), 0, ""
    except _Missing as missing:
        return None, missing.args[0], ""
    except (InputError, KeyError) as error:
        return None, 0, str(error)


@st.cache_resource(max_entries=2, ttl=1800, show_spinner="Looking for embeddings before coding …")
def _floats(fingerprint: str, _run: RunDir) -> FlatIndex:
    from transclipped.search.floats import database

    searcher = cached.engine(fingerprint, _run)
    items = database(searcher, cached.images(cached.run_data(_run)))
    if items.embeddings is None:
        raise _Missing(items.missing)
    return FlatIndex(items.embeddings, codebooks=len(searcher.stored.codebooks))


@st.cache_data(max_entries=32, show_spinner="Reranking the best hits …")
@one_at_a_time
def reranked(fingerprint: str, query: str, top: int, _run: RunDir, _embedding: np.ndarray) -> list:
    """The best hits by codes, in order of their embeddings before coding."""
    from transclipped.search.floats import reranked

    searcher = cached.engine(fingerprint, _run)
    images = cached.images(cached.run_data(_run))
    decoded = {}
    for row in searcher.index.search(_embedding[None], RERANKED).rows[0].tolist():
        with suppress(InputError):  # damaged or deleted since
            decoded[row] = images.image(images.row_of(searcher.stored.database_ids[row]))
    return reranked(searcher, _embedding, np.array([*decoded]), [*decoded.values()])[:top] if decoded else []


@st.cache_data(max_entries=16, show_spinner="Evaluating every stored query …")
def average_precision(fingerprint: str, _run: RunDir) -> np.ndarray | None:
    """AP@K `[Q]` of every stored query; None without labels."""
    from transclipped.retrieval.metrics import measure

    searcher = cached.engine(fingerprint, _run)
    stored = searcher.stored
    if stored.query_labels is None or stored.database_labels is None or not len(stored.queries):
        return None
    labels = {"query_labels": stored.query_labels, "database_labels": stored.database_labels}
    k = (_run.metrics() or {}).get("k") or 1000
    queries = stored.queries.astype(np.float32)
    return measure(searcher.index, queries, **labels, k=k, tie_aware=False, curve=False).average_precision


@st.cache_data(max_entries=16, show_spinner="Searching with every stored query …")
def first_hit_right(fingerprint: str, _run: RunDir) -> np.ndarray:
    """Whether the best hit of each stored query shares a label with it, `[Q]` bool; the run has labels."""
    from transclipped.retrieval.relevance import relevance

    searcher = cached.engine(fingerprint, _run)
    stored = searcher.stored
    rows = searcher.index.search(stored.queries.astype(np.float32), 1).rows
    return relevance(stored.query_labels, stored.database_labels, rows)[:, 0]


@st.cache_data(max_entries=16, show_spinner="Timing both searches …")
def times(target: str, take: int, _searcher: Searcher, _queries: np.ndarray) -> speed.Times:
    """Seconds of a query by codes and by floats, measured for the `take`-th time."""
    return speed.times(_searcher.index, _queries)


@st.cache_data(max_entries=64, show_spinner=False)
def precision_recall(
    target: str, query: str, labels: tuple[str, ...], _searcher: Searcher, _embedding: np.ndarray, _mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision `[101]` of one query over the whole ranking."""
    from transclipped.retrieval.metrics import precision_recall

    return precision_recall(_searcher.index, _embedding[None], np.array([1]), np.where(_mask, 1, -1))
