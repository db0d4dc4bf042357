"""Cached calls behind the Overview page: small results, keyed by a run's fingerprint and the image."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import readiness, story
from transclipped.datasets.images.decode import placeholder, to_png
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import cached


@st.cache_data(max_entries=64, show_spinner=False)
def story_of(fingerprint: str, query: int, _run: RunDir) -> story.Story:
    """The path of a stored query to its code."""
    return story.story(cached.arrays(_run), query)


@st.cache_data(max_entries=64, show_spinner=False)
def hits(fingerprint: str, query: int, top: int, _run: RunDir) -> list[tuple[bytes, bool | None]]:
    """Encoded images of the best hits of a stored query, and whether each shares a label."""
    data, images = cached.arrays(_run), cached.images(cached.run_data(_run))
    rows, _ = story.nearest(data, query, top)
    encoded = []
    for row in images.rows_of(data.database_ids[rows]):
        try:
            encoded.append(images.encoded(row))
        except InputError:
            encoded.append(to_png(placeholder(str(images.ids[row]))))
    return list(zip(encoded, story.shares_label(data, query, rows), strict=True))


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
