"""Figures of the Anatomy page: arrays in, figure out. Numbers are colours: blue below 0, red above."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from transclipped.ui.codebook_charts import DIVERGING
from transclipped.ui.kept import kept
from transclipped.ui.theme import NEUTRAL

STRIP, LINE = 72, 46  # pixels: height of a strip, and of one line of several
WRITTEN = 16  # numbers a line, up to which they are written into the cells
LETTERS = 15  # font size
DULL = 98  # percentile of the numbers' size that takes the full colour, so that a few large ones do not pale the rest


@kept
def strip(values: np.ndarray, *, name: str, key: str) -> go.Figure:
    """Numbers `[n]` side by side."""
    limit = max(1e-6, float(np.percentile(np.abs(values), DULL)))
    figure = _strips(values[None], [""], name=name, key=key, height=STRIP, limit=limit)
    return figure.update_yaxes(visible=False).update_xaxes(visible=False)


@kept
def parts(values: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Sub-vectors `[M, d]`, a line each, on the scale of cosines."""
    m, d = values.shape
    figure = _strips(values, names, name="number", key=key, height=50 + LINE * m, limit=1.0)
    figure.update_traces(ygap=6)
    return figure.update_traces(texttemplate="%{z:.2f}") if d <= WRITTEN else figure


@kept
def tables(values: np.ndarray, code: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Tables `[M, K]`, a line each, and the number that a code `[M]` picks from each."""
    m, k = values.shape
    limit = float(np.abs(values).max(initial=1e-6))
    figure = _strips(values, names, name="codeword", key=key, height=60 + (LINE + 12) * m, limit=limit)
    figure.update_traces(ygap=14)
    figure.add_scatter(
        x=code.astype(int),
        y=names,
        mode="markers",
        marker={"symbol": "square-open", "size": 24, "color": "#1c2430", "line": {"width": 4}},
        hoverinfo="skip",
        cliponaxis=False,
    )
    for name, value in zip(names, values[np.arange(m), code], strict=True):
        figure.add_annotation(
            x=1.01, xref="paper", y=name, xanchor="left", text=f"<b>{value:+.3f}</b>", showarrow=False
        )
    return figure.update_layout(showlegend=False, margin_r=74, xaxis_range=[-0.5, k - 0.5])


def _strips(values: np.ndarray, names: list[str], *, name: str, key: str, height: int, limit: float) -> go.Figure:
    """Lines of numbers `[m, n]` as colours from −limit to limit."""
    figure = go.Figure(
        go.Heatmap(
            z=np.round(values.astype(float), 4),
            y=names,
            zmin=-limit,
            zmax=limit,
            colorscale=DIVERGING,
            showscale=False,
            hovertemplate=f"{name} %{{x}}: %{{z:.3f}}<extra>%{{y}}</extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, zeroline=False, type="category", fixedrange=True)
    figure.update_xaxes(showgrid=False, zeroline=False, title=name, fixedrange=True, color=NEUTRAL)
    font = {"size": LETTERS}
    return figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8}, uirevision=key, font=font)
