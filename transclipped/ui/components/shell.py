"""Component: the browser's part of the frame: arrow keys, a fresh start, preloaded scripts, one Back step per action.

The browser preloads the scripts of other pages while the visitor looks at the first one, as warm.py does on the server.
"""

from __future__ import annotations

import streamlit as st

from transclipped.ui.components.component import component
from transclipped.ui.streamlit_internals import script_files

AHEAD = ("PlotlyChart", "DataFrame", "StreamlitSyntaxHighlighter")  # Streamlit's scripts, 0.5 to 4.7 MB each

_component = component("shell")


def draw() -> None:
    """Draw the button that restarts the app; the rest is invisible."""
    base = st.get_option("server.baseUrlPath").strip("/")
    start = f"/{base}/" if base else "/"
    ahead = tuple(f"{start}static/js/{name}" for name in script_files(AHEAD))  # a list would import pandas
    _component(key="shell", data={"start": start, "ahead": ahead})
