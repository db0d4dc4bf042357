"""A page of foreign text for test_text.py; `?kind=` selects the element that shows it."""

import json
import os
from pathlib import Path

import plotly.graph_objects as go
import streamlit as st

from transclipped.ui.text import for_plotly, plain

texts = json.loads(Path(os.environ["TEXTS"]).read_text(encoding="utf-8"))
kind = st.query_params["kind"]
for number, text in enumerate(texts if kind != "plotly" else []):
    with st.container(key=f"text-{number}"):
        match kind:
            case "markdown":
                st.markdown(plain(text))
            case "sentence":  # next to an icon, a formula and an emoji, which load their extensions
                st.markdown(f"before **{plain(text)}** after :smile: $x$ :material/home:")
            case "button":
                st.button(plain(text), key=f"button {number}")
            case "choice":
                st.segmented_control("choice", ["other", text], format_func=plain, key=f"choice {number}")
if kind == "plotly":
    names = [for_plotly(text) for text in texts]
    figure = go.Figure(go.Bar(x=[1] * len(names), y=names, orientation="h", name="bars"))
    figure.add_scatter(x=[1], y=[names[0]], name=names[1])
    figure.update_layout(height=40 * len(names), xaxis_title=names[2], yaxis={"type": "category", "dtick": 1})
    st.plotly_chart(figure)
