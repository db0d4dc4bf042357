"""What the Embeddings page lays out: a run's queries, its database, or a collection that it encoded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.bundled import Bundled
from transclipped.analysis.maps.projections import DATABASE, QUERIES, Items
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.collection_links import MAPPED
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import layouts
from transclipped.ui.retrieval import cached as retrieval_cached
from transclipped.ui.retrieval import collections


@dataclass(frozen=True)
class Subject:
    """Items of a map, and what is drawn with them.

    Attributes:
        shown: the items.
        version: names their content.
        bundled: maps that come with the app.
        data: names the image set, see `cached.images`; `rows` `[n]` are the items' in it.
        names: of the classes.
        name: of the collection; None for the run's own images.
    """

    shown: Items
    version: str
    bundled: Bundled
    data: tuple
    rows: np.ndarray
    names: list[str]
    name: str | None = None


def options(run: RunDir) -> list[str]:
    """What can be laid out: the run's own, then collections whose name is no Markdown, since buttons render that."""
    own = [QUERIES, DATABASE]
    return own + [name for name in collections.known(run) if name not in own and MAPPED.fullmatch(name)]


def subject(run: RunDir, which: str) -> Subject:
    """The items of one of `options`.

    Raises:
        InputError: a file of the run or the collection is missing or damaged.
    """
    if which in (QUERIES, DATABASE):
        shown, rows, version = maps.items(run.fingerprint, which, run)
        bundled = layouts.bundled(run.fingerprint, which, run, shown)
        return Subject(shown, version, bundled, cached.run_data(run), rows, run.record.get("class_names", []))
    try:
        path = collections.known(run)[which]
        stamp = (Path(path) / "collection.json").stat().st_mtime_ns
    except (KeyError, OSError) as error:
        raise InputError(f"there is no collection {which} any more; choose another") from error
    shown, rows, version, names = _collected(run.fingerprint, path, stamp, run)
    return Subject(shown, version, {}, (cached.COLLECTION, path, stamp), rows, names, which)


@st.cache_resource(max_entries=3, ttl=300, show_spinner="Reading the codes …")
def _collected(fingerprint: str, path: str, stamp: int, _run: RunDir) -> tuple[Items, np.ndarray, str, list[str]]:
    """Items of a collection, their rows in it, a name of their content, and the class names; read-only."""
    engine = retrieval_cached.collection(fingerprint, path, stamp, _run)
    shown = projections.items(engine.stored, DATABASE)
    row_of = {identity: row for row, identity in enumerate(engine.stored.database_ids.tolist())}
    rows = np.array([row_of[identity] for identity in shown.ids.tolist()], np.int64)
    version = hashlib.sha256(f"{path} {stamp} {shown.digests}".encode()).hexdigest()[:16]
    return shown, rows, version, engine.class_names
