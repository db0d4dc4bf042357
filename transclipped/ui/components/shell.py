"""The browser's part of the frame around every page: arrow keys, a fresh start, and what other pages draw with.

The browser loads that while the visitor looks at the first page, as warm.py makes ready what the server needs, and its
Back button takes back one act of the visitor at a press.
"""

from __future__ import annotations

import streamlit as st

from transclipped.ui.components.component import component
from transclipped.ui.streamlit_internals import script_files

AHEAD = ("PlotlyChart", "DataFrame", "StreamlitSyntaxHighlighter")  # scripts of Streamlit's, 0.5 to 4.7 MB each

_component = component("shell")


def draw() -> None:
    """The button that opens the app afresh; everything else is not seen."""
    base = st.get_option("server.baseUrlPath").strip("/")
    start = f"/{base}/" if base else "/"
    ahead = tuple(f"{start}static/js/{name}" for name in script_files(AHEAD))  # a list would import pandas
    _component(key="shell", data={"start": start, "ahead": ahead})
