"""The pair of numbers that Overview, Clipping and Benchmarks quote, in the same words."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import headline
from transclipped.analysis.headline import Headline, InvertedU
from transclipped.ui import glossary, presenting


@st.cache_data(max_entries=1, show_spinner=False)
def pair() -> Headline | None:
    """mAP without and with clipping; None where the study is missing."""
    return headline.headline()


@st.cache_data(max_entries=1, show_spinner=False)
def inverted_u() -> InvertedU | None:
    """mAP over the amount of clipping; None where the curves are missing."""
    return headline.inverted_u()


def draw() -> None:
    """The pair in a sentence, and why other pairs differ; in front of a class the sentence alone."""
    if (numbers := pair()) is not None:
        claim, terms = (glossary.prose(_marked(text)) for text in (numbers.claim, numbers.terms))
        st.html(f'<p class="prose" id="headline"><b>{claim}</b> {terms}</p>')
        if not presenting.presenting():
            st.caption(headline.ELSEWHERE)


def _marked(text: str) -> str:
    """The text with the words marked that the glossary explains."""
    return text.replace(f"mAP@{headline.K}", f"[mAP@{headline.K}](mAP@K)").replace("temperature", "[temperature]")
