"""The seven steps of the Anatomy page, and the heading of each."""

from __future__ import annotations

import streamlit as st

STEPS = ("Patches", "Attention", "Embedding", "Sub-vectors", "Codewords", "Bytes", "Score")


def heading(number: int, sentence: str) -> None:
    """Title of a step and the sentence that says what one is looking at."""
    st.subheader(f"{number} · {STEPS[number - 1]}", anchor=STEPS[number - 1].lower())
    with st.container(key=f"told-{number}"):
        st.markdown(sentence)
