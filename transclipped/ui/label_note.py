"""The note that a method uses labels, which stands wherever such a method does."""

from __future__ import annotations

import streamlit as st

from transclipped.retrieval.stages import NOTE


def draw(subject: str) -> None:
    """Draw the note about a subject in Markdown."""
    st.markdown(f":orange[:material/label: **{subject} {NOTE}**]")


def html() -> str:
    """The note within a text of HTML."""
    return f'<b class="labels">This {NOTE}.</b> '
