"""Figures of the Clipping lab: arrays in, figure out."""

from __future__ import annotations

import math
from itertools import cycle

import numpy as np
import plotly.graph_objects as go

from transclipped.analysis.clipping.dials import Dial
from transclipped.analysis.clipping.report import AnchorSteps
from transclipped.clipping import RULES
from transclipped.ui.charts import cached_figure, set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS, IRRELEVANT, NEUTRAL, RELEVANT

SQUARE = 460  # pixels
SHOWN_RATES = 12  # classes whose rates are written into the cells
DRAWN = 24  # negatives around an anchor in the image of its forces
COLOURS = [CLASS_COLOURS[i] for i in (0, 1, 2, 4, 5, 6)]  # of rules; none is grey
FACES = {True: "same class", False: "other class", None: "negatives"}


@cached_figure
def rates(table: np.ndarray, counts: np.ndarray, names: tuple[str, ...], *, key: str) -> go.Figure:
    """Share of the pairs of each two classes that was clipped `[L, L]`, with the counts on hovering."""
    figure = go.Figure(
        go.Heatmap(
            z=np.round(100 * table, 2),
            x=list(map(for_plotly, names)),
            y=list(map(for_plotly, names)),
            customdata=counts,
            zmin=0,
            colorscale="Cividis",
            colorbar={"title": "% clipped", "thickness": 12},
            texttemplate="%{z:.0f}" if len(names) <= SHOWN_RATES else None,
            hovertemplate="%{y} and %{x}: %{z:.1f} % clipped, %{customdata} pairs<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain", tickangle=-45)
    return set_layout(figure, "class of the negative", "class of the anchor", key=key).update_layout(height=SQUARE)


def precision_recall(dials: list[Dial], chosen: dict[str, tuple[float, float]], *, key: str) -> go.Figure:
    """Precision over recall along each rule's dial, with a mark where each stands now."""
    figure = go.Figure()
    colours = dict(zip((dial.rule for dial in dials), cycle(COLOURS), strict=False))
    for dial in dials:
        rule, symbol = for_plotly(dial.rule), RULES[dial.rule].amount.symbol
        known = ~np.isnan(dial.precision)
        figure.add_scatter(
            x=dial.recall[known], y=dial.precision[known], name=rule, mode="lines",
            line={"color": colours[dial.rule], "width": 2.5}, customdata=dial.amounts[known],
            hovertemplate=f"{rule}, {symbol} = %{{customdata:.2f}}: precision %{{y:.0%}}, recall %{{x:.0%}}"
            "<extra></extra>",
        )  # fmt: skip
    for rule, (recall, precision) in chosen.items():
        name = for_plotly(rule)
        figure.add_scatter(
            x=[recall], y=[precision], name=f"{name} now", mode="markers", showlegend=False,
            marker={"size": 13, "symbol": "diamond", "color": colours[rule]},
            hovertemplate=f"{name} as set: precision %{{y:.0%}}, recall %{{x:.0%}}<extra></extra>",
        )  # fmt: skip
    axes = {"xaxis": {"range": [0, 1.02], "tickformat": ".0%"}, "yaxis": {"range": [0, 1.02], "tickformat": ".0%"}}
    return set_layout(figure, "recall", "precision", key=key, **axes)


@cached_figure
def by_negative(
    values: np.ndarray, steps: AnchorSteps, *, y: str, key: str, order: np.ndarray | None = None, clipped: bool = False
) -> go.Figure:
    """A bar for each negative of an anchor, coloured by truth; clipped ones faint where that is to be shown.

    Args:
        values: `[n]` in the order of `steps`.
        order: `[n]` in which they are drawn, None for the most similar first.
    """
    order = np.arange(len(values)) if order is None else order
    false = np.full(len(values), None) if steps.false is None else steps.false
    figure = go.Figure()
    for face, colour in ((False, IRRELEVANT), (True, RELEVANT), (None, NEUTRAL)):
        for cut in (False, True) if clipped else (None,):
            mine = np.array(
                [f is face or (f is not None and face is not None and bool(f) == face) for f in false], bool
            )
            if cut is not None:
                mine &= steps.clipped == cut
            shown = mine[order]
            if shown.any():
                name = FACES[face] + {True: ", clipped ✂", False: ", kept", None: ""}[cut]
                figure.add_bar(
                    x=np.flatnonzero(shown), y=values[order][shown], name=name, marker_line_width=0,
                    marker_color=colour, opacity=0.3 if cut else 1,
                    hovertemplate=f"{name}: %{{y:.4f}}<extra></extra>",
                )  # fmt: skip
    figure.update_layout(bargap=0, barmode="overlay")
    x = "negatives, the most similar first" if (order == np.arange(len(order))).all() else "negatives, as in the batch"
    return set_layout(figure, x, y, key=key)


@cached_figure
def forces(steps: AnchorSteps, *, key: str) -> go.Figure:
    """Gradient arrows of one anchor: its positive is pulled in, its negatives are pushed away.

    An image's distance is 1 − cosine, its direction means nothing; the longest arrow is the largest force. Faint
    arrows are what clipping took away.
    """
    n = min(DRAWN, len(steps.other))
    angle = math.pi / 2 + 2 * math.pi * (np.arange(n) * 0.618034 % 1)
    radius = np.maximum(1 - steps.similarity[:n], 0.05)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    pulled = max(1 - steps.positive_similarity, 0.15 * float(radius.max(initial=1.0)))  # apart from the anchor's mark
    before, after = steps.before.gradient[:n], steps.after.gradient[:n]
    most = max(np.abs(before).max(initial=1e-9), np.abs(after).max(initial=1e-9))
    longest = 0.45 * max(float(radius.max(initial=0.5)), pulled)
    figure = go.Figure()
    for values, faint in ((before, True), (after, False)):
        for i in range(n):
            lost = values[i] - after[i] if faint else values[i]
            if lost > 1e-3 * most and (not faint or steps.clipped[i]):
                out = 1 + longest * values[i] / most / radius[i]
                _arrow(figure, (x[i], y[i]), (x[i] * out, y[i] * out), NEUTRAL if faint else _colour(steps, i), faint)
    pull = min(0.8, abs(steps.after.positive_gradient) / most * longest / pulled)
    _arrow(figure, (0, -pulled), (0, -pulled * (1 - pull)), "#009e73", False)
    _dots(figure, steps, n, x, y)
    figure.add_scatter(
        x=[0], y=[-pulled], mode="markers", name="positive, pulled in", marker={"size": 13, "color": "#009e73"},
        hovertemplate=f"the other view: cosine {steps.positive_similarity:.2f}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=[0], y=[0], mode="markers", name="anchor", marker={"size": 16, "symbol": "star", "color": "#832db6"},
        hovertemplate="the anchor<extra></extra>",
    )  # fmt: skip
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure = set_layout(figure, "distance from the anchor: 1 − cosine", "", key=key, xaxis=hidden, yaxis=hidden)
    figure.update_yaxes(scaleanchor="x")
    return figure.update_layout(height=SQUARE)


def _dots(figure: go.Figure, steps: AnchorSteps, n: int, x: np.ndarray, y: np.ndarray) -> None:
    false = [None] * n if steps.false is None else [bool(f) for f in steps.false[:n]]
    for face, colour in ((False, IRRELEVANT), (True, RELEVANT), (None, NEUTRAL)):
        for cut in (False, True):
            mine = np.array([f is face and bool(c) == cut for f, c in zip(false, steps.clipped[:n], strict=True)], bool)
            if mine.any():
                name = FACES[face] + (", clipped ✂" if cut else "")
                marker = {"size": 11, "color": colour, "symbol": "x-open" if cut else "circle"}
                figure.add_scatter(
                    x=x[mine], y=y[mine], mode="markers", name=name, marker=marker,
                    customdata=steps.similarity[:n][mine],
                    hovertemplate=f"{name}: cosine %{{customdata:.2f}}<extra></extra>",
                )  # fmt: skip


def _colour(steps: AnchorSteps, i: int) -> str:
    return NEUTRAL if steps.false is None else RELEVANT if steps.false[i] else IRRELEVANT


def _arrow(figure: go.Figure, start: tuple, end: tuple, colour: str, faint: bool) -> None:
    figure.add_annotation(
        x=end[0], y=end[1], ax=start[0], ay=start[1], xref="x", yref="y", axref="x", ayref="y", text="",
        showarrow=True, arrowhead=2, arrowwidth=1.5 if faint else 2.5, arrowcolor=colour, opacity=0.4 if faint else 1,
    )  # fmt: skip
