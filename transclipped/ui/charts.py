"""Plotly figures: arrays in, figure out; and `show`, which draws one so that it can be saved."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go
import streamlit as st

from transclipped.ui.chart_data import csv_of, enlarged
from transclipped.ui.shell import scale
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS

HEIGHT = 320
KINDS = {  # ending: (what the button says, MIME type, icon)
    "csv": ("Data as CSV", "text/csv", ":material/table:"),
    "svg": ("Drawing as SVG", "image/svg+xml", ":material/image:"),
}
SAVED = "The camera above the chart saves the picture as it looks now (SVG: sharp at any size)."


# Shared by all visitors, so read-only. Give long curves as arrays: lists are hashed number by number, 4 to 9 µs each.
cached_figure = st.cache_resource(max_entries=32, show_spinner=False)


def show(figure: go.Figure, *, key: str, name: str, **options):
    """Draw a figure that can be saved as SVG and as CSV, larger on a projector.

    Args:
        key: of the chart, its own on the page.
        name: of the saved files, without an ending.
        options: of `st.plotly_chart`, such as `on_select`, whose answer is returned.
    """
    config = {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": name}}
    answer = st.plotly_chart(enlarged(figure, scale()), key=key, config=config, **options)
    with saving(key), st.popover("Save", type="tertiary", icon=":material/download:"):
        st.caption(SAVED)
        offer(lambda: csv_of(figure), key=key, name=name)
    return answer


def saving(key: str):
    """A place below a drawing for what saves it."""
    return st.container(horizontal=True, horizontal_alignment="right", key=f"save-{key}")


def offer(data: Callable[[], bytes], *, key: str, name: str, kind: str = "csv", **options) -> None:
    """A button that saves numbers as CSV, or a drawing as SVG, made when it is pressed."""
    label, mime, icon = KINDS[kind]
    st.download_button(
        label, data, f"{name}.{kind}", mime, key=f"{kind} {key}", on_click="ignore", icon=icon, **options
    )


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


def curves(lines: dict[str, tuple[Sequence, Sequence]], *, x: str, y: str, key: str, log_x: bool = False) -> go.Figure:
    """Named lines (x values, y values) over each other."""
    figure = go.Figure()
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        figure.add_scatter(x=xs, y=ys, name=for_plotly(name), mode="lines", line={"color": colour, "width": 2.5})
    return _laid_out(figure, x, y, key=key, xaxis_type="log" if log_x else "linear", showlegend=len(lines) > 1)
