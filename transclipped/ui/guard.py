"""Bad input is shown as a message on the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui.text import plain


def shows_input_errors(draw: Callable) -> Callable:
    """`draw`, showing an InputError as a message. Goes below `@st.fragment`, which would swallow the error."""

    @wraps(draw)
    def shows_errors(*args, **kwargs):
        try:
            return draw(*args, **kwargs)
        except InputError as error:
            st.error(plain(error))

    return shows_errors
