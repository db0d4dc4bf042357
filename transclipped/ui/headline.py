"""The pair of numbers that Overview, Clipping and Benchmarks quote, in the same words."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import baselines, headline
from transclipped.analysis.baselines import Setting
from transclipped.analysis.headline import Headline, InvertedU
from transclipped.ui import glossary, presenting
from transclipped.ui.text import plain


@st.cache_data(max_entries=1, show_spinner=False)
def pair() -> Headline | None:
    """mAP without and with clipping; None where the study is missing."""
    return headline.headline()


@st.cache_data(max_entries=1, show_spinner=False)
def inverted_u() -> InvertedU | None:
    """mAP over the amount of clipping; None where the curves are missing."""
    return headline.inverted_u()


@st.cache_data(max_entries=8, show_spinner=False)
def study(temperature: float) -> Setting | None:
    """The study's head without clipping at a temperature; None where it is missing."""
    return baselines.of_study(temperature)


def lab() -> Setting | None:
    """The start of the inverted U, on the lab set; None where it is missing."""
    u = inverted_u()
    return None if u is None else baselines.of_lab(u.without, k=u.k, temperature=headline.TEMPERATURE)


def draw(*others: Setting | None) -> None:
    """The pair in a sentence, and why other pairs gain less or more, unless in front of a class.

    Args:
        others: values without clipping that the page shows as well, with their settings.
    """
    if (numbers := pair()) is not None:
        claim, terms = (glossary.prose(_marked(text)) for text in (numbers.claim, numbers.terms))
        st.html(f'<p class="prose" id="headline"><b>{claim}</b> {terms}</p>')
        if not presenting.folded():
            st.caption(headline.ELSEWHERE)
        beside(*others)


def beside(*others: Setting | None, where: str = "above") -> None:
    """A caption on what differs between the pair's value without clipping and others that the page shows."""
    if text := baselines.sentence("mAP without clipping", [baselines.of_headline(pair(), where), *others]):
        st.caption(plain(text))


def _marked(text: str) -> str:
    """The text with the words marked that the glossary explains."""
    return text.replace(f"mAP@{headline.K}", f"[mAP@{headline.K}](mAP@K)").replace("temperature", "[temperature]")
