"""Bad input ends in a sentence on the page."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui.text import plain


def guarded(draw: Callable) -> Callable:
    """`draw`, showing an InputError as a message. Goes below `@st.fragment`, which would swallow it."""

    @wraps(draw)
    def drawn(*args, **kwargs):
        try:
            return draw(*args, **kwargs)
        except InputError as error:
            st.error(plain(error))
            return None

    return drawn
