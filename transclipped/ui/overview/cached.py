"""Cached calls behind the Overview page: small results, keyed by a run's fingerprint and the image."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import readiness, story
from transclipped.datasets.images.decode import placeholder, to_png
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import cached
from transclipped.ui.overview.strip import Tile


@st.cache_data(max_entries=64, show_spinner=False)
def story_of(fingerprint: str, query: int, _run: RunDir) -> story.Story:
    """The path of a stored query to its code."""
    return story.story(cached.arrays(_run), query)


@st.cache_data(max_entries=64, show_spinner=False)
def hits(fingerprint: str, query: int, top: int, _run: RunDir) -> list[tuple[bytes, bool | None]]:
    """Encoded images of the best hits of a stored query, and whether each shares a label."""
    data = cached.arrays(_run)
    rows, _ = story.nearest(data, query, top)
    encoded = _encoded(_run, data.database_ids[rows])
    return list(zip(encoded, story.shares_label(data, query, rows), strict=True))


@st.cache_data(max_entries=64, show_spinner=False)
def negatives(fingerprint: str, query: int, _run: RunDir) -> tuple[story.Negatives, list[Tile]]:
    """Negatives of a stored query, and the tiles of the query and of each of them."""
    data = cached.arrays(_run)
    few = story.negatives(data, query, pairs(fingerprint, _run).border)
    rows = [query, *few.rows]
    labels = data.query_labels if data.query_labels is not None and data.query_labels.ndim == 1 else None
    names = _run.record.get("class_names") or []
    named = (
        [names[label] if label < len(names) else "" for label in labels[rows].tolist()] if labels is not None else []
    )
    encoded = _encoded(_run, data.query_ids[rows])
    return few, [Tile(*tile) for tile in zip(encoded, named or [""] * len(rows), strict=True)]


@st.cache_data(max_entries=16, show_spinner=False)
def typical(fingerprint: str, _run: RunDir) -> int:
    """The stored query that the page opens with."""
    return story.typical(cached.arrays(_run), pairs(fingerprint, _run).border)


@st.cache_data(max_entries=16, show_spinner=False)
def pairs(fingerprint: str, _run: RunDir) -> story.Pairs:
    """Similarities of pairs of the run's queries."""
    return story.pairs(cached.arrays(_run))


@st.cache_data(max_entries=16, show_spinner=False)
def losses(fingerprint: str, _run: RunDir) -> list[float]:
    """Loss of the logged steps."""
    return [event["loss"] for event in _run.events("step") if isinstance(event.get("loss"), int | float)]


@st.cache_data(max_entries=4, show_spinner="Encoding images for one second …")
def speed(backbone: str, size: int) -> float:
    """Images per second of a backbone on this machine; measured once per server."""
    return readiness.images_per_second(backbone, size=size)


def _encoded(run: RunDir, ids: np.ndarray) -> list[bytes]:
    """Encoded images; a placeholder for one that cannot be read."""
    images, encoded = cached.images(cached.run_data(run)), []
    for row in images.rows_of(ids):
        try:
            encoded.append(images.encoded(row))
        except InputError:
            encoded.append(to_png(placeholder(str(images.ids[row]))))
    return encoded
