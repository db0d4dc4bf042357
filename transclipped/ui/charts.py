"""Plotly figures: arrays in, figure out; and `show`, which draws one so that it can be saved."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.ui.chart_data import csv_of, enlarged
from transclipped.ui.shell import scale
from transclipped.ui.theme import CLASS_COLOURS, IRRELEVANT, NEUTRAL, RELEVANT

HEIGHT = 320
SAVED = "The camera above the chart saves the picture as it looks now (SVG: sharp at any size)."


def show(figure: go.Figure, *, key: str, name: str, **options):
    """Draw a figure that can be saved as SVG and as CSV, larger on a projector.

    Args:
        key: of the chart, its own on the page.
        name: of the saved files, without an ending.
        options: of `st.plotly_chart`, such as `on_select`, whose answer is returned.
    """
    config = {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": name}}
    answer = st.plotly_chart(enlarged(figure, scale()), key=key, config=config, **options)
    with (
        st.container(horizontal=True, horizontal_alignment="right", key=f"save-{key}"),
        st.popover("Save", type="tertiary", icon=":material/download:"),
    ):
        st.caption(SAVED)
        st.download_button(
            "Data as CSV", lambda: csv_of(figure), f"{name}.csv", "text/csv", key=f"csv {key}", on_click="ignore",
            icon=":material/table:",
        )  # fmt: skip
    return answer


def _laid_out(figure: go.Figure, x: str, y: str, *, key: str, **axes) -> go.Figure:
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 10, "b": 10},
        uirevision=key,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis_title=x,
        yaxis_title=y,
        **axes,
    )
    return figure


def curves(lines: dict[str, tuple[list, list]], *, x: str, y: str, key: str, log_x: bool = False) -> go.Figure:
    """Named lines (x values, y values) over each other."""
    figure = go.Figure()
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        figure.add_scatter(x=xs, y=ys, name=name, mode="lines", line={"color": colour, "width": 2.5})
    return _laid_out(figure, x, y, key=key, xaxis_type="log" if log_x else "linear", showlegend=len(lines) > 1)


def contributions(parts: list[float], *, key: str) -> go.Figure:
    """What each codebook gives to a score."""
    names = [f"codebook {i + 1}" for i in range(len(parts))]
    figure = go.Figure(go.Bar(x=names, y=parts, marker_color=RELEVANT))
    return _laid_out(figure, "", "part of the score", key=key)


def similarity_histogram(similarity: np.ndarray, false: np.ndarray | None, threshold: float | None) -> go.Figure:
    """Negatives' similarities, those of one class over those of different ones, and where δ cuts."""
    edges = np.linspace(-1, 1, 101)
    centres = (edges[1:] + edges[:-1]) / 2
    figure = go.Figure()
    groups = {"negatives": similarity}
    if false is not None:
        groups = {"other class (true negatives)": similarity[~false], "same class (false negatives)": similarity[false]}
    for (name, values), colour in zip(groups.items(), (NEUTRAL, IRRELEVANT), strict=False):
        counts = np.histogram(values, edges)[0]
        figure.add_bar(x=centres, y=counts, name=name, marker_color=colour, marker_line_width=0)
    if threshold is not None:
        figure.add_vline(threshold, line_width=3, line_color=RELEVANT)
        figure.add_vrect(threshold, 1, fillcolor=RELEVANT, opacity=0.12, line_width=0)
    figure.update_layout(barmode="stack", bargap=0)
    return _laid_out(figure, "cosine similarity to the anchor", "pairs", key="similarity")
