"""Figures of the Codebooks page, from arrays."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from transclipped.ui import charts
from transclipped.ui.charts import set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS, IRRELEVANT, NEUTRAL, RELEVANT, class_colour

DIVERGING = [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]]
SQUARE = 420  # pixels
WRITTEN = 12  # most codebooks whose dependence is written into the cells

SCALE = 80  # px, room of the scale of colours


@charts.cached_figure
def usage(counts: np.ndarray, even: float, *, top: float, key: str) -> go.Figure:
    """Images per codeword, sorted, as a line for each codebook `[M, K]`, and the even share."""
    figure = go.Figure()
    for m, row in enumerate(np.sort(counts, axis=1)[:, ::-1]):
        line = {"color": CLASS_COLOURS[m % len(CLASS_COLOURS)], "width": 2, "shape": "hvh"}
        figure.add_scatter(x=np.arange(1, len(row) + 1), y=row, name=f"codebook {m + 1}", mode="lines", line=line)
    figure.add_hline(even, line_dash="dot", line_color=NEUTRAL, annotation_text="even share")
    return set_layout(figure, "codewords, most used first", "images", key=key, yaxis_range=[0, 1.05 * top])


@charts.cached_figure
def perplexity(lines: dict[str, tuple[list, list]], *, y: str, key: str, top: float | None = None) -> go.Figure:
    """Named lines (epochs, perplexities); with `top`, up to it and with a marker for each epoch."""
    figure = charts.curves(lines, x="epoch", y=y, key=key)
    return figure if top is None else figure.update_traces(mode="lines+markers").update_yaxes(range=[0, 1.05 * top])


@charts.cached_figure
def codewords(counts: np.ndarray, word: int, *, key: str) -> go.Figure:
    """Images per codeword of a codebook `[K]`, most used first; the selected one is larger and orange."""
    order = np.argsort(-counts, kind="stable")
    marker = {"color": np.where(order == word, IRRELEVANT, RELEVANT), "size": np.where(order == word, 14, 8)}
    points = go.Scatter(x=np.arange(1, len(order) + 1), y=counts[order], mode="markers", marker=marker)
    points.update(customdata=order[:, None], hovertemplate="codeword %{customdata[0]}: %{y:,} images<extra></extra>")
    points.update(selected_marker_opacity=1, unselected_marker_opacity=1)
    x, y = "codewords, most used first", "images"
    return set_layout(go.Figure(points), x, y, key=key, room=charts.TITLED, clickmode="event+select")


def heatmap(z: np.ndarray, *, unit: str, hover: str, **options) -> go.Figure:
    """A heat map with a thin colour bar; `options` of go.Heatmap."""
    options = {"colorscale": "Cividis", "colorbar": {"title": unit, "thickness": 12}, "hoverongaps": False} | options
    return go.Figure(go.Heatmap(z=z, hovertemplate=f"{hover}<extra></extra>", **options))


@charts.cached_figure
def similarity(cosines: np.ndarray, order: np.ndarray, *, key: str) -> go.Figure:
    """Cosines between codewords `[K, K]`, similar ones side by side."""
    names = [str(k) for k in order.tolist()]
    values = np.round(cosines[np.ix_(order, order)].astype(np.float32), 3)  # half the bytes of float64
    options = {"x": names, "y": names, "zmin": -1, "zmax": 1, "colorscale": DIVERGING}
    figure = heatmap(values, unit="cosine", hover="codewords %{x} and %{y}: %{z:.2f}", **options)
    blank = {"showticklabels": False, "showgrid": False, "zeroline": False, "type": "category"}
    figure.update_yaxes(scaleanchor="x", constrain="domain", autorange="reversed")
    figure = set_layout(figure, "codewords, similar ones side by side", "", key=key, xaxis=blank, yaxis=blank)
    return figure.update_layout(height=SQUARE)


@charts.cached_figure
def dependence(plain: np.ndarray, excess: np.ndarray, *, top: float, key: str) -> go.Figure:
    """What pairs of codebooks share `[M, M]` in bits, and on the diagonal the entropy of each, all that it says."""
    m = len(excess)
    names = [str(i + 1) for i in range(m)]
    values = np.where(np.eye(m, dtype=bool), plain, excess)
    options = {"x": names, "y": names, "zmin": 0, "zmax": max(top, 1e-6)}
    options["texttemplate"] = "%{z:.2f}" if m <= WRITTEN else None
    figure = heatmap(values, unit="bits", hover="codebooks %{x} and %{y}: %{z:.3f} bits", **options)
    figure.update_yaxes(scaleanchor="x", constrain="domain", autorange="reversed", type="category", showgrid=False)
    figure.update_xaxes(type="category", constrain="domain", showgrid=False)
    return set_layout(figure, "codebook", "codebook", key=key).update_layout(height=SQUARE)


@charts.cached_figure
def errors(whole: np.ndarray, *, top: float, key: str) -> go.Figure:
    """Histogram of the errors of the queries `[Q]`, and their mean."""
    edges = np.linspace(0, max(top, 1e-6), 61)
    counts = np.histogram(whole, edges)[0]
    figure = go.Figure(go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker_color=RELEVANT, marker_line_width=0))
    if len(whole):
        figure.add_vline(float(whole.mean()), line_width=2, line_color=IRRELEVANT, annotation_text="mean")
    figure.update_layout(bargap=0)
    x = "1 − cosine of query and its decoded code"
    return set_layout(figure, x, "queries", key=key, xaxis_range=[0, edges[-1]])


@charts.cached_figure
def class_map(table: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Share of each class in each used codeword, from counts `[K, L]`; codewords grouped by their main class."""
    used = np.flatnonzero(table.sum(1))
    shares = table[used] / table[used].sum(1, keepdims=True)
    order = np.lexsort((-shares.max(1, initial=0), shares.argmax(1))) if len(used) else used
    words = np.broadcast_to(used[order], (len(names), len(used)))
    options = {"y": list(map(for_plotly, names)), "customdata": words, "zmin": 0, "zmax": 1}
    hover = "codeword %{customdata}, %{y}: %{z:.0%}"
    figure = heatmap(shares[order].T.round(3), unit="share", hover=hover, **options)
    figure.update_yaxes(autorange="reversed")
    x = "codewords, by their most frequent class"
    room = charts.beside(names) | {"r": SCALE, "b": 45}  # no labels below
    return set_layout(figure, x, "", key=key, room=room, xaxis_showticklabels=False)


@charts.cached_figure
def class_bars(counts: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Images of one codeword by class `[L]`, in the colours of the classes."""
    colours = [class_colour(i) for i in range(len(names))]
    figure = go.Figure(go.Bar(x=counts, y=list(map(for_plotly, names)), orientation="h", marker_color=colours))
    figure.update_yaxes(autorange="reversed")
    return set_layout(figure, "images", "", key=key, room=charts.beside(names))
