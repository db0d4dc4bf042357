"""Sections of a page: only one is drawn, so a page opens at once; which one stands in the address as `?section=`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import streamlit as st
from streamlit.errors import StreamlitAPIException

from transclipped.ui import links

KEY = "section"


def choose(texts: Mapping[str, str], *, told_by: Mapping[str, str] | None = None) -> str:
    """Draw the choice; returns the key of the section to draw, the first one if the address names none.

    Args:
        texts: what is displayed, by key.
        told_by: names in the address that only one section knows, with its key. A link from before there were
            sections holds them, and opens that section. They leave the address with it for the first section, which
            the address does not name.
    """
    address = st.query_params
    if KEY not in st.session_state and KEY not in address:
        said = next((section for name, section in (told_by or {}).items() if name in address), None)
        if said is not None:
            address[KEY] = said
    first = next(iter(texts))
    chosen = links.choose(
        st.segmented_control, "Section", texts, key=KEY, default=first, required=True, label_visibility="collapsed"
    )
    if chosen == first:
        for name in told_by or ():
            with suppress(StreamlitAPIException):  # bound to a widget, which takes it along
                address.pop(name, None)
    return chosen
