"""The settings of the Train form in the address, so that a reload or a link restores them.

Settings whose widgets bind themselves (rule, amounts, τ) are not included. Default values are left out; invalid ones
are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

Read = Callable[[str], Any]  # parses a text; None if it is invalid
Fields = Mapping[str, tuple[str, Read]]  # key of the widget and parser of its value, by name in the address


def key(name: str) -> str:
    """Key of the widget of a setting; not its name alone, which other pages bind too."""
    return f"set {name}"


def text(value: str) -> str | None:
    """Any text but the empty one."""
    return value or None


def one_of(choices: Collection[Any]) -> Read:
    """Parser of one of several choices."""
    return {str(choice): choice for choice in choices}.get


def number(kind: type, low: float, high: float) -> Read:
    """Parser of an int or float from `low` to `high`."""

    def read(value: str) -> Any:
        try:
            result = kind(value)
        except ValueError:
            return None
        return result if low <= result <= high else None  # refuses NaN too

    return read


def field(widget: Callable[..., Any], label: str, *values: Any, opened: bool, key: str, **options: Any) -> Any:
    """Value of a setting; its widget is drawn only while its section is open, since closed ones cost time too.

    Streamlit forgets the value of a widget that is not drawn, unless the script sets it.
    """
    if opened:
        return widget(label, *values, key=key, **options)
    st.session_state[key] = st.session_state[key]
    return st.session_state[key]


def restore(fields: Fields) -> None:
    """Set the widgets without a value to those in the address."""
    state = st.session_state
    for name, (key, read) in fields.items():
        value = st.query_params.get(name)
        if key not in state and value is not None and (parsed := read(value)) is not None:
            state[key] = parsed


def remember(fields: Fields, defaults: Mapping[str, Any]) -> None:
    """Write what differs from the defaults, given by key of the widget, into the address."""
    for name, (key, _) in fields.items():
        value = st.session_state.get(key)
        if value in (None, "") or value == defaults.get(key):
            st.query_params.pop(name, None)
        elif st.query_params.get(name) != str(value):
            st.query_params[name] = str(value)
