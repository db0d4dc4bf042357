"""Choices that appear in the address by a short, stable key instead of their displayed text.

Streamlit's own binding (`bind="query-params"`) writes the displayed text, so any rewording would break every link. Here
the address holds the key of an option. Older links still work: a displayed text is read as its key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from transclipped.ui import absent

SECTION = "section"  # in the address: the section that a page shows


def choose(
    widget: Callable[..., Any], label: str, texts: Mapping[str, str], *, key: str, default: str, **more: Any
) -> str:
    """A choice among the keys of `texts`, stored in the address as `?key=` unless it is the default.

    Args:
        widget: `st.selectbox`, `st.segmented_control` and the like, of any container.
        texts: displayed texts, by key.
        key: of the widget, and name in the address; not to be bound elsewhere on the page.
        default: a key of `texts`.
        more: for the widget, but neither a default nor `format_func`, `bind` or `on_change`.
    """
    linked = key_of(st.query_params.get(key), texts)
    value = linked or default
    if linked is not None:
        absent.resolve(key)
    if st.session_state.get(key) != value:  # a callback keeps them equal, so the address has changed
        st.session_state[key] = value
    _write(key, value, default)

    def changed() -> None:
        _write(key, st.session_state.get(key) or default, default)

    def displayed(name: str) -> str:
        return texts.get(name, name)  # a typed text, where new options are accepted

    return widget(label, list(texts), key=key, format_func=displayed, on_change=changed, **more) or default


def section(
    texts: Mapping[str, str], *, opened_by: Mapping[str, str] | None = None, former: Mapping[str, str] | None = None
) -> str:
    """Draw the choice of a page's section, `?section=` in the address; returns its key, by default the first.

    A page draws one section only, so it opens quickly.

    Args:
        texts: displayed texts, by key.
        opened_by: names in the address that belong to one section, with its key. An older link without `?section=`
            opens that section. Choosing the first section removes them from the address.
        former: keys by texts that were displayed once; links with such a text still open that section.
    """
    address, opened_by, first = st.query_params, opened_by or {}, next(iter(texts))
    if (old := address.get(SECTION)) in (former or {}):
        address[SECTION] = former[old]
    if SECTION not in st.session_state and SECTION not in address:
        linked = next((section for name, section in opened_by.items() if name in address), None)
        if linked is not None:
            address[SECTION] = linked
    chosen = choose(
        st.segmented_control, "Section", texts, key=SECTION, default=first, required=True, label_visibility="collapsed"
    )
    if chosen == first:
        for name in opened_by:
            with suppress(StreamlitAPIException):  # bound to a widget, which removes it itself
                address.pop(name, None)
    return chosen


def key_of(value: str | None, texts: Mapping[str, str]) -> str | None:
    """The key for a value in the address, which is the key or its displayed text; None for anything else."""
    if value in texts:
        return value
    return next((key for key, text in texts.items() if text == value), None)


def go(page: str, **query: str | list[str]) -> None:
    """Open a page with these parameters in its address; parameters bound to widgets are set in the session instead."""
    st.switch_page(f"pages/{page}.py", query_params=query)  # {} drops bound parameters, None would be refused


def _write(key: str, value: str, default: str) -> None:
    if value == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
