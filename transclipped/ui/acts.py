"""The outcome of a button: a callback cannot draw, so the next run of the page shows it."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui.text import plain


def press(key: str, act: Callable[..., str | None], *args) -> None:
    """Act, and store the returned sentence or the error's for `show`.

    Args:
        key: in the session, one for each place where `show` draws.
    """
    try:
        sentence, kind = act(*args), "success"
    except InputError as error:
        sentence, kind = str(error), "error"
    if isinstance(sentence, str):
        st.session_state[key] = (kind, sentence)


def show(key: str) -> None:
    """Show the outcome of the last act under this key, once."""
    kind, sentence = st.session_state.pop(key, ("", ""))
    if kind == "error":
        st.error(plain(sentence))
    elif kind == "success":
        st.success(plain(sentence))
