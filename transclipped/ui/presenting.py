"""Presenting: what the lesson view changes on a page.

It shows charts and images first, folds controls away, and ends each page with a sentence to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from transclipped.ui.shell import lesson, scale

__all__ = ["controls", "lesson", "say", "scale"]


@contextmanager
def controls(label: str = "Settings") -> Iterator[None]:
    """Where a page's controls are drawn: inside a closed expander in the lesson view, else in place."""
    with st.expander(label, icon=":material/tune:") if lesson() else st.container():
        yield


def say(sentence: str) -> None:
    """The sentence to say about a page, drawn at its end in the lesson view."""
    if lesson():
        with st.container(key="say"):
            st.markdown(f":material/record_voice_over: {sentence}")
