"""The settings of the Train form in the address, so that a reload or a link brings them back.

What a widget of this form binds itself (rule, amounts, τ) is not here. Values that the form fills in itself are left
out; invalid ones are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

Read = Callable[[str], Any]  # the value that a text means, or None


def key(name: str) -> str:
    """Key of the widget of a setting; another word than its name, which other pages bind too."""
    return f"set {name}"


def text(said: str) -> str | None:
    """Any text but none."""
    return said or None


def one_of(choices: Collection[Any]) -> Read:
    """One of some choices."""
    return {str(choice): choice for choice in choices}.get


def number(kind: type, low: float, high: float) -> Read:
    """An int or float from `low` to `high`."""

    def read(said: str) -> Any:
        try:
            value = kind(said)
        except ValueError:
            return None
        return value if low <= value <= high else None  # refuses NaN too

    return read


def restore(fields: Mapping[str, tuple[str, Read]]) -> None:
    """Put what the address says into the widgets that have no value yet.

    Args:
        fields: key of the widget and what reads its value, by name in the address.
    """
    state = st.session_state
    for name, (key, read) in fields.items():
        said = st.query_params.get(name)
        if key not in state and said is not None and (value := read(said)) is not None:
            state[key] = value


def remember(fields: Mapping[str, tuple[str, Read]], usual: Mapping[str, Any]) -> None:
    """Write what differs from the usual values into the address.

    Args:
        usual: value by key of the widget.
    """
    for name, (key, _) in fields.items():
        value = st.session_state.get(key)
        if value in (None, "") or value == usual.get(key):
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)
