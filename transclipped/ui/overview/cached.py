"""Cached calls behind the Overview page: small results, keyed by a run's fingerprint and the picture."""

from __future__ import annotations

from typing import Any

import streamlit as st

from transclipped.analysis import readiness, story
from transclipped.datasets.base import ImageSet
from transclipped.datasets.images.decode import placeholder, to_png
from transclipped.errors import InputError
from transclipped.runs.run import Retrieval, RunDir
from transclipped.ui import cached


@st.cache_resource(max_entries=12, show_spinner=False)
def stored(fingerprint: str, _run: RunDir) -> Retrieval:
    """Codes, codebooks and queries of a run, without the index over them; shared by all visitors, so read-only."""
    return _run.retrieval()


@st.cache_data(max_entries=64, show_spinner=False)
def told(fingerprint: str, query: int, _run: RunDir) -> story.Story:
    """The way of a stored query to its code."""
    return story.story(stored(fingerprint, _run), query)


@st.cache_data(max_entries=64, show_spinner=False)
def found(fingerprint: str, query: int, top: int, _run: RunDir) -> list[tuple[bytes, bool | None]]:
    """Encoded pictures of the best hits of a stored query, and whether each shares a label."""
    data = stored(fingerprint, _run)
    rows, _ = story.nearest(data, query, top)
    named = cached.run_data(_run)
    images, row_of = cached.pictures(named), cached.rows_of_ids(named)
    encoded = [_encoded(images, row_of[identity]) for identity in data.database_ids[rows].tolist()]
    return list(zip(encoded, story.shares_label(data, query, rows), strict=True))


def _encoded(images: ImageSet, row: int) -> bytes:
    try:
        return images.encoded(row)
    except InputError:
        return to_png(placeholder(str(images.ids[row])))


@st.cache_data(max_entries=16, show_spinner=False)
def pairs(fingerprint: str, _run: RunDir) -> story.Pairs:
    """Similarities of pairs of the run's queries."""
    return story.pairs(stored(fingerprint, _run))


@st.cache_data(max_entries=16, show_spinner=False)
def losses(fingerprint: str, _run: RunDir) -> list[float]:
    """Loss over the steps that were logged."""
    return [event["loss"] for event in _run.events("step") if isinstance(event.get("loss"), int | float)]


@st.cache_data(max_entries=16, show_spinner=False)
def metrics(fingerprint: str, _run: RunDir) -> dict[str, Any]:
    """What was measured of a run."""
    return _run.metrics() or {}


@st.cache_data(max_entries=4, show_spinner="Encoding pictures for a second …")
def speed(backbone: str, size: int) -> float:
    """Pictures per second of a backbone on this machine; measured once a server."""
    return readiness.images_per_second(backbone, size=size)
