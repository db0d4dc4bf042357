"""A field for a run's name, with the rule below it; a name that breaks the rule is reported while typing."""

from __future__ import annotations

from collections.abc import Container

import streamlit as st

from transclipped.errors import InputError
from transclipped.runs.manage import NAME_RULE, check_name
from transclipped.ui.text import plain


def field(label: str, value: str = "", *, key: str, taken: Container[str] = (), **more) -> str | None:
    """A text field; returns the name, or None if it is not valid.

    Args:
        taken: names of other runs.
        more: for `st.text_input`.
    """
    name = st.text_input(label, value, key=key, **more).strip()
    error = problem(name, taken=taken)
    st.caption(f":red[{plain(error)}]" if error and name else NAME_RULE)
    return None if error else name


def problem(name: str, *, taken: Container[str]) -> str:
    """Why a run cannot have this name; "" if it can."""
    try:
        check_name(name)
    except InputError as error:
        return str(error)
    return f"A run {name} already exists; choose another name." if name in taken else ""
