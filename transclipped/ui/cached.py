"""Cached calls into the library: keys are content, heavy objects go in unhashed, everything is bounded."""

from __future__ import annotations

import streamlit as st

from transclipped.training.run import RunDir


@st.cache_resource(max_entries=4, show_spinner="Opening the database …")
def engine(fingerprint: str, _run: RunDir):
    """Search engine of a run; shared by all visitors, so read-only."""
    from transclipped.engine import Engine

    return Engine(_run)


@st.cache_resource(max_entries=4, show_spinner="Opening the pictures …")
def pictures(data: tuple):
    """The picture set of `run_data`."""
    from transclipped.config import DataConfig
    from transclipped.datasets.registry import load

    return load(DataConfig(**dict(data)))


def run_data(run: RunDir) -> tuple:
    """What names a run's pictures, hashable."""
    data = run.config.data
    return tuple((name, getattr(data, name)) for name in ("dataset", "data", "labels"))


@st.cache_data(max_entries=16, show_spinner=False)
def rows_of_ids(fingerprint: str, _run: RunDir) -> dict:
    """Row in the picture set of every id of the run's database and queries."""
    images = pictures(run_data(_run))
    return {identity: row for row, identity in enumerate(images.ids.tolist())}


@st.cache_data(max_entries=4096, show_spinner=False)
def tile(data: tuple, row: int, relevant: bool | None) -> bytes:
    """Framed picture of a row, ready for the browser."""
    from transclipped.ui.tiles import framed

    return framed(pictures(data).picture(row), relevant)


@st.cache_data(max_entries=256, show_spinner=False)
def batch_similarities(fingerprint: str, epoch: int | None, size: int, seed: int, _run: RunDir):
    """Similarities of one batch under a run's model, see `analysis.clipping.batch_of`."""
    from transclipped.analysis.clipping import batch_of

    return batch_of(_run, size=size, seed=seed, epoch=epoch)


@st.cache_data(max_entries=64, show_spinner=False)
def query_precision(fingerprint: str, query: int, depth: int, _run: RunDir) -> list[float]:
    """Precision at ranks 1 … depth of one stored query."""
    from transclipped.retrieval.metrics import precision_at_ranks

    searcher = engine(fingerprint, _run)
    stored = searcher.stored
    asked = slice(query, query + 1)
    hits = searcher.index.search(stored.queries[asked].astype("float32"), depth)
    return precision_at_ranks(hits, stored.query_labels[asked], stored.database_labels)[0].tolist()
