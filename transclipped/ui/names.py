"""A field for a name: the rule stands beside it, and what breaks the rule is said while typing."""

from __future__ import annotations

import streamlit as st

from transclipped.errors import InputError
from transclipped.training.manage import NAME_RULE, check_name
from transclipped.ui.text import plain


def field(label: str, value: str = "", *, key: str, **more) -> str | None:
    """A text field with the rule for names below it; returns the name, None as long as it breaks the rule.

    Args:
        more: for `st.text_input`.
    """
    typed = st.text_input(label, value, key=key, **more).strip()
    try:
        name = check_name(typed)
    except InputError as error:
        st.caption(f":red[{plain(error)}]" if typed else NAME_RULE)
        return None
    st.caption(NAME_RULE)
    return name
