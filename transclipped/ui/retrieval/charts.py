"""Figures of the Retrieval page: arrays in, figure out."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from transclipped.ui.charts import cached_figure, set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT, class_colour

LINE = 22  # pixels of a class's bar
BAR = "position: relative; height: 0.8rem; background: color-mix(in srgb, currentColor 12%, transparent)"
LIMIT = f"position: absolute; top: -0.2rem; height: 1.2rem; width: 3px; background: {IRRELEVANT};"
MANY = 24  # classes up to which bars have their classes' colours


def score_bar(value: float, best: float, *, top: float) -> str:
    """What one codebook adds to a hit's score, as an HTML bar with a line at the most that any codeword could add.

    Args:
        top: value at full width, the same for bars that are compared.
    """
    width, limit = (max(0.0, each / top) if top > 0 else 0.0 for each in (value, best))
    return (
        f'<div style="{BAR}" title="{value:.3f} of at most {best:.3f}">'
        f'<div style="height: 100%; width: {width:.1%}; background: {RELEVANT}"></div>'
        f'<div style="{LIMIT} left: calc({limit:.1%} - 3px)"></div></div>'
    )


@cached_figure
def over_ranks(lines: dict[str, tuple], *, x: str, y: str, key: str, log_x: bool) -> go.Figure:
    """This query (blue) over the mean of all queries (grey, dotted)."""
    figure = go.Figure()
    for name, (xs, ys) in lines.items():
        this = name.startswith("this")
        line = {"color": RELEVANT if this else NEUTRAL, "width": 3 if this else 2.5, "dash": None if this else "dot"}
        figure.add_scatter(x=xs, y=ys, name=for_plotly(name), mode="lines", line=line)
    figure.update_yaxes(range=[0, 1.04])
    return set_layout(figure, x, y, key=key, xaxis_type="log" if log_x else "linear", showlegend=len(lines) > 1)


@cached_figure
def per_class(values: dict[str, float], class_names: list[str], labels: list[str], *, key: str) -> go.Figure:
    """mAP of each class, best first; ▸ marks the classes of the query."""
    order = sorted(values, key=lambda name: values[name])
    number = {name: i for i, name in enumerate(class_names)}
    if len(order) <= MANY:
        colours = [class_colour(number.get(name, 0)) for name in order]
    else:
        colours = [RELEVANT if name in labels else NEUTRAL for name in order]
    names = [f"▸ {for_plotly(name)}" if name in labels else for_plotly(name) for name in order]
    figure = go.Figure(go.Bar(x=[values[name] for name in order], y=names, orientation="h", marker_color=colours))
    figure.update_xaxes(range=[0, 1])
    return set_layout(figure, "mAP", "", key=key).update_layout(height=max(220, 80 + LINE * len(order)))


@cached_figure
def histogram(values: np.ndarray, mine: float | None, *, key: str) -> go.Figure:
    """Number of stored queries by average precision `[Q]`, and the value of this query."""
    edges = np.linspace(0, 1, 41)
    counts = np.histogram(values, edges)[0]
    figure = go.Figure(go.Bar(x=(edges[1:] + edges[:-1]) / 2, y=counts, marker_color=RELEVANT, marker_line_width=0))
    if mine is not None:
        figure.add_vline(mine, line_width=3, line_color=IRRELEVANT, annotation_text="this query")
    figure.update_layout(bargap=0)
    return set_layout(figure, "average precision of a query", "queries", key=key, xaxis_range=[0, 1])
