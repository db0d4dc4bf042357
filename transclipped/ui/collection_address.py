"""A collection in the address of Retrieval (`?collection=`): a link is anybody's, so it opens none but the listed ones.

Another folder is opened after its owner typed it, or pressed a button on the page that the link led to.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from transclipped.ui import access
from transclipped.ui.links import key_of
from transclipped.ui.text import plain

KEY = "collection"  # of the choice, and its name in the address
_LINKED = "collection linked"  # in the session: a folder that only the address named


def said(places: Mapping[str, str]) -> str | None:
    """What the address names, if it is one of `places` or was typed or opened during this visit; else it leaves it.

    Args:
        places: what is displayed, by name.
    """
    name = st.query_params.get(KEY)
    if not name or key_of(name, places) is not None or st.session_state.get(KEY) == name:
        return name
    st.query_params.pop(KEY)
    st.session_state[_LINKED] = name
    return None


def offer() -> None:
    """A button that opens the folder that the address named, where there is one."""
    name = st.session_state.get(_LINKED)
    if name is None:
        return
    st.info(f"This link names the folder {plain(name)}. Open it only if you know it.")
    st.button(
        "Open it", key="open linked", icon=":material/folder_open:", on_click=_open, args=(name,), **access.control()
    )


def folder(known: Mapping[str, str], name: str) -> str | None:
    """Folder of the place to search that was chosen; None for the run's own database.

    Args:
        known: folders by the names of listed collections.

    Raises:
        InputError: it is not listed, and this visitor may not open others, or nobody may.
    """
    if name in known or not name.strip():
        return known.get(name)
    access.require()
    return str(access.readable(name.strip()))


def _open(name: str) -> None:
    st.session_state.pop(_LINKED, None)
    if access.may():
        st.session_state[KEY] = st.query_params[KEY] = name
