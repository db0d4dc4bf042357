"""A field for a name: the rule stands beside it, and what breaks the rule is said while typing."""

from __future__ import annotations

from collections.abc import Container

import streamlit as st

from transclipped.errors import InputError
from transclipped.runs.manage import NAME_RULE, check_name
from transclipped.ui.text import plain


def field(label: str, value: str = "", *, key: str, taken: Container[str] = (), **more) -> str | None:
    """A text field with the rule for names below it; returns the name, None as long as no run can get it.

    Args:
        taken: names of other runs.
        more: for `st.text_input`.
    """
    name = st.text_input(label, value, key=key, **more).strip()
    wrong = problem(name, taken=taken)
    st.caption(f":red[{plain(wrong)}]" if wrong and name else NAME_RULE)
    return None if wrong else name


def problem(name: str, *, taken: Container[str]) -> str:
    """Why a run cannot have this name; "" if it can."""
    try:
        check_name(name)
    except InputError as error:
        return str(error)
    return f"There is a run {name} already; choose another name." if name in taken else ""
