"""Figures of the Codebooks page: arrays in, figure out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from transclipped.ui import charts
from transclipped.ui.charts import set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS, IRRELEVANT, NEUTRAL, RELEVANT, class_colour

DIVERGING = [[0, "#2166ac"], [0.25, "#92c5de"], [0.5, "#f7f7f7"], [0.75, "#f4a582"], [1, "#b2182b"]]
SQUARE = 420  # pixels
SHOWN_VALUES = 12  # codebooks whose dependence is written into the cells


@charts.cached_figure
def usage(counts: np.ndarray, even: float, *, top: float, key: str) -> go.Figure:
    """Images of each codeword, sorted, a line for each codebook `[M, K]`, and the even share."""
    figure = go.Figure()
    for m, row in enumerate(np.sort(counts, axis=1)[:, ::-1]):
        line = {"color": CLASS_COLOURS[m % len(CLASS_COLOURS)], "width": 2, "shape": "hvh"}
        places = np.arange(1, len(row) + 1)
        figure.add_scatter(x=places, y=row, name=f"codebook {m + 1}", mode="lines", line=line)
    figure.add_hline(even, line_dash="dot", line_color=NEUTRAL, annotation_text="even share")
    return set_layout(figure, "codewords, most used first", "pictures", key=key, yaxis_range=[0, 1.05 * top])


@charts.cached_figure
def perplexity(lines: dict[str, tuple[list, list]], *, y: str, key: str, top: float | None = None) -> go.Figure:
    """Named lines (epochs, perplexities) over each other; up to `top` with their points, where it is given."""
    figure = charts.curves(lines, x="epoch", y=y, key=key)
    return figure if top is None else figure.update_traces(mode="lines+markers").update_yaxes(range=[0, 1.05 * top])


@charts.cached_figure
def codewords(counts: np.ndarray, chosen: int, *, key: str) -> go.Figure:
    """Images of each codeword of a codebook `[K]`, most used first; the chosen one is orange."""
    order = np.argsort(-counts, kind="stable")
    places = np.arange(1, len(order) + 1)
    colours = np.where(order == chosen, IRRELEVANT, RELEVANT)
    figure = go.Figure(
        go.Scatter(
            x=places,
            y=counts[order],
            mode="markers",
            marker={"color": colours, "size": np.where(order == chosen, 14, 8)},
            customdata=order[:, None],
            hovertemplate="codeword %{customdata[0]}: %{y:,} images<extra></extra>",
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
        )
    )
    return set_layout(figure, "codewords, most used first", "pictures", key=key, clickmode="event+select")


@charts.cached_figure
def similarity(cosines: np.ndarray, order: np.ndarray, *, key: str) -> go.Figure:
    """Cosines between codewords `[K, K]`, similar ones side by side."""
    names = [str(k) for k in order.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(cosines[np.ix_(order, order)].astype(np.float32), 3),  # half the bytes of float64
            x=names,
            y=names,
            zmin=-1,
            zmax=1,
            colorscale=DIVERGING,
            colorbar={"title": "cosine", "thickness": 12},
            hovertemplate="codewords %{x} and %{y}: %{z:.2f}<extra></extra>",
        )
    )
    blank = {"showticklabels": False, "showgrid": False, "zeroline": False, "type": "category"}
    figure.update_yaxes(scaleanchor="x", constrain="domain", autorange="reversed")
    figure = set_layout(figure, "codewords, similar ones side by side", "", key=key, xaxis=blank, yaxis=blank)
    return figure.update_layout(height=SQUARE)


@charts.cached_figure
def dependence(bits: np.ndarray, *, top: float, key: str) -> go.Figure:
    """Mutual information of pairs of codebooks `[M, M]` in bits; the diagonal, an entropy, is left out."""
    m = len(bits)
    names = [str(i + 1) for i in range(m)]
    values = np.where(np.eye(m, dtype=bool), np.nan, bits)
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=names,
            y=names,
            zmin=0,
            zmax=max(top, 1e-6),
            colorscale="Cividis",
            colorbar={"title": "bits", "thickness": 12},
            texttemplate="%{z:.2f}" if m <= SHOWN_VALUES else None,
            hovertemplate="codebooks %{x} and %{y}: %{z:.3f} bits<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_yaxes(scaleanchor="x", constrain="domain", autorange="reversed", type="category")
    figure.update_xaxes(type="category", constrain="domain")
    return set_layout(figure, "codebook", "codebook", key=key).update_layout(height=SQUARE)


@charts.cached_figure
def errors(whole: np.ndarray, *, top: float, key: str) -> go.Figure:
    """How many queries lose how much by coding `[Q]`, and their mean."""
    edges = np.linspace(0, max(top, 1e-6), 61)
    counts = np.histogram(whole, edges)[0]
    figure = go.Figure(go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker_color=RELEVANT, marker_line_width=0))
    if len(whole):
        figure.add_vline(float(whole.mean()), line_width=2, line_color=IRRELEVANT, annotation_text="mean")
    figure.update_layout(bargap=0)
    return set_layout(
        figure, "1 − cosine of query and its decoded code", "queries", key=key, xaxis_range=[0, edges[-1]]
    )


@charts.cached_figure
def class_map(table: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Share of each class in each codeword, from counts `[K, L]`; used codewords alone, grouped by their main class."""
    used = np.flatnonzero(table.sum(1))
    shares = table[used] / table[used].sum(1, keepdims=True)
    order = np.lexsort((-shares.max(1, initial=0), shares.argmax(1))) if len(used) else used
    figure = go.Figure(
        go.Heatmap(
            z=shares[order].T.round(3),
            y=list(map(for_plotly, names)),
            customdata=np.broadcast_to(used[order], (len(names), len(used))),
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            colorbar={"title": "share", "thickness": 12},
            hovertemplate="codeword %{customdata}, %{y}: %{z:.0%}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    return set_layout(
        figure, "codewords, grouped by their most frequent class", "", key=key, xaxis_showticklabels=False
    )


@charts.cached_figure
def class_bars(counts: np.ndarray, names: list[str], *, key: str) -> go.Figure:
    """Images of one codeword by class `[L]`, each class in its own colour."""
    colours = [class_colour(i) for i in range(len(names))]
    figure = go.Figure(go.Bar(x=counts, y=list(map(for_plotly, names)), orientation="h", marker_color=colours))
    figure.update_yaxes(autorange="reversed")
    return set_layout(figure, "pictures", "", key=key)
