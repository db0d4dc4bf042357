"""Sections of a page: only one is drawn, so a page opens at once; which one stands in the address as `?section=`."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from transclipped.ui import links

KEY = "section"


def choose(texts: Mapping[str, str], *, told_by: Mapping[str, str] | None = None) -> str:
    """Draw the choice; returns the key of the section to draw, the first one if the address names none.

    Args:
        texts: what is displayed, by key.
        told_by: names in the address that only one section knows, with its key. A link from before there were
            sections holds them, and opens that section.
    """
    address = st.query_params
    if KEY not in st.session_state and KEY not in address:
        said = next((section for name, section in (told_by or {}).items() if name in address), None)
        if said is not None:
            address[KEY] = said
    return links.choose(
        st.segmented_control, "Section", texts, key=KEY, default=next(iter(texts)), required=True,
        label_visibility="collapsed",
    )  # fmt: skip
