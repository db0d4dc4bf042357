"""Choices whose place in the address is a short name that stays, whatever text stands on the page.

Streamlit's own binding (`bind="query-params"`) writes the text that is displayed, so a better wording would break
every link. Here options are keys, shown by their texts; the key goes into the address. Links from before are followed:
a text that is displayed is taken for its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from transclipped.ui import absent

SECTION = "section"  # name in the address of the section that a page shows


def choose(
    widget: Callable[..., Any], label: str, texts: Mapping[str, str], *, key: str, default: str, **more: Any
) -> str:
    """A choice among the keys of `texts`, kept in the address as `?key=`, which is left out for the default.

    Args:
        widget: `st.selectbox`, `st.segmented_control` and the like, of any container.
        texts: what is displayed, by key.
        key: of the widget, and name in the address; not to be bound elsewhere on the page.
        default: a key of `texts`.
        more: for the widget, but neither a default nor `format_func`, `bind` or `on_change`.
    """
    said = st.query_params.get(key)
    wanted = key_of(said, texts) or default
    if key_of(said, texts) is not None:
        absent.resolve(key)
    if st.session_state.get(key) != wanted:  # a callback keeps them equal, so the address has changed
        st.session_state[key] = wanted
    _tell(key, wanted, default)

    def changed() -> None:
        _tell(key, st.session_state.get(key) or default, default)

    def displayed(name: str) -> str:
        return texts.get(name, name)  # what a visitor types, where new options are accepted

    return widget(label, list(texts), key=key, format_func=displayed, on_change=changed, **more) or default


def section(texts: Mapping[str, str], *, opened_by: Mapping[str, str] | None = None) -> str:
    """Draw the choice of a page's section, `?section=` in the address; returns its key, by default the first.

    Only one section is drawn, so a page opens at once.

    Args:
        texts: what is displayed, by key.
        opened_by: names in the address that only one section knows, with its key. A link from before there were
            sections holds them, and opens that section. They leave the address with it for the first section, which
            the address does not name.
    """
    address = st.query_params
    if SECTION not in st.session_state and SECTION not in address:
        said = next((section for name, section in (opened_by or {}).items() if name in address), None)
        if said is not None:
            address[SECTION] = said
    first = next(iter(texts))
    chosen = choose(
        st.segmented_control, "Section", texts, key=SECTION, default=first, required=True, label_visibility="collapsed"
    )
    if chosen == first:
        for name in opened_by or ():
            with suppress(StreamlitAPIException):  # bound to a widget, which takes it along
                address.pop(name, None)
    return chosen


def key_of(said: str | None, texts: Mapping[str, str]) -> str | None:
    """The key that an address means: itself, or the text that is displayed for it; None for anything else."""
    if said in texts:
        return said
    return next((key for key, text in texts.items() if text == said), None)


def go(page: str, **query: str) -> None:
    """Open a page with these parameters in its address; those that widgets are bound to go by the session's state.

    An empty address is passed as such: with no parameters at all, Streamlit refuses to drop those that are bound.
    """
    st.switch_page(f"pages/{page}.py", query_params=query)


def _tell(key: str, value: str, default: str) -> None:
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
