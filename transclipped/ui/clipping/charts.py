"""Figures of the Clipping page, from arrays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import cycle

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from transclipped.analysis.clipping.dials import Dial
from transclipped.analysis.clipping.report import AnchorSteps, Spread
from transclipped.clipping import RULES
from transclipped.ui.charts import cached_figure, set_layout
from transclipped.ui.codebooks.charts import heatmap
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS, IRRELEVANT, NEUTRAL, RELEVANT, pale

SQUARE, LOW = 460, 300  # pixels; low where a class shall see all of it
WRITTEN = 12  # most classes whose rates are written into the cells
THIN, HEAD = 0.65, 10  # opacity of a pale arrow, which is thin, and pixels of an arrow's head
BINS = 60  # of a histogram
AROUND = 24  # negatives drawn around an anchor
COLOURS = [CLASS_COLOURS[i] for i in (0, 1, 2, 4, 5, 6)]  # of rules, without grey
POSITIVE, ANCHOR = "#009e73", "#832db6"


@cached_figure
def rates(table: np.ndarray, counts: np.ndarray, names: tuple[str, ...], *, key: str) -> go.Figure:
    """Clipped share of the pairs of each two classes `[L, L]`, with counts in the tooltips."""
    labels = list(map(for_plotly, names))
    options = {"x": labels, "y": labels, "customdata": counts, "zmin": 0}
    options["texttemplate"] = "%{z:.0f}" if len(names) <= WRITTEN else None
    hover = "%{y} and %{x}: %{z:.1f}% clipped, %{customdata} pairs"
    figure = heatmap(np.round(100 * table, 2), unit="% clipped", hover=hover, **options)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain", tickangle=-45)
    return set_layout(figure, "class of the negative", "class of the anchor", key=key).update_layout(height=SQUARE)


def precision_recall(dials: list[Dial], points: dict[str, tuple[float, float]], *, key: str) -> go.Figure:
    """Precision over recall along each rule's slider, with a marker at the current positions `points`."""
    figure = go.Figure()
    colours = dict(zip((dial.rule for dial in dials), cycle(COLOURS), strict=False))
    for dial in dials:
        rule, symbol = for_plotly(dial.rule), RULES[dial.rule].amount.symbol
        valid = ~np.isnan(dial.precision)
        style = {"mode": "lines", "line": {"color": colours[dial.rule], "width": 2.5}}
        hover = f"{rule}, {symbol} = %{{customdata:.2f}}: precision %{{y:.0%}}, recall %{{x:.0%}}<extra></extra>"
        style["customdata"], x, y = dial.amounts[valid], dial.recall[valid], dial.precision[valid]
        figure.add_scatter(x=x, y=y, name=rule, hovertemplate=hover, **style)
    for rule, (recall, precision) in points.items():
        marker, name = {"size": 13, "symbol": "diamond", "color": colours[rule]}, for_plotly(rule)
        hover = f"{name} now: precision %{{y:.0%}}, recall %{{x:.0%}}<extra></extra>"
        style = {"mode": "markers", "marker": marker, "showlegend": False}
        figure.add_scatter(x=[recall], y=[precision], name=f"{name} now", hovertemplate=hover, **style)
    axis = {"range": [0, 1.02], "tickformat": ".0%"}
    return set_layout(figure, "recall", "precision", key=key, xaxis=axis, yaxis=axis)


@cached_figure
def two_histograms(spreads: dict[str, Spread], cut: float | None, *, key: str) -> go.Figure:
    """Similarities of false and true negatives, each as a share of its own pairs, under two heads; a line at `cut`."""
    titles = [for_plotly(name) for name in spreads]
    figure = make_subplots(len(spreads), 1, shared_xaxes=True, vertical_spacing=0.12, subplot_titles=titles)
    low = math.floor(10 * min(each.every.min() for each in spreads.values())) / 10
    edges = np.linspace(low, 1, BINS + 1)
    for row, spread in enumerate(spreads.values(), 1):
        for name, colour, values in (("other class", IRRELEVANT, spread.other), ("same class", RELEVANT, spread.same)):
            shares = 100 * np.histogram(values, edges)[0] / max(1, len(values))
            style = {"mode": "lines", "line": {"color": colour, "width": 2.5, "shape": "hvh"}, "fill": "tozeroy"}
            hover = f"{name}, cosine %{{x:.2f}}: %{{y:.1f}}% of its pairs<extra></extra>"
            style |= {"name": name, "legendgroup": name, "showlegend": row == 1, "hovertemplate": hover}
            figure.add_scatter(x=(edges[:-1] + edges[1:]) / 2, y=shares, row=row, col=1, **style)
    if cut is not None:
        figure.add_vline(cut, line_dash="dash", line_width=2, line_color=NEUTRAL)
    set_layout(figure, "", "", key=key)
    figure.update_yaxes(title_text="% of its pairs", rangemode="tozero")
    figure.update_xaxes(title_text="cosine similarity of anchor and negative", row=len(spreads), col=1)
    return figure.update_layout(height=SQUARE, margin={"t": 50}, legend={"y": 1.1})


def _groups(steps: AnchorSteps, *, split: bool) -> Iterator[tuple[str, str, bool, np.ndarray]]:
    """Name, colour, whether clipped, and mask `[n]` of the negatives of each kind; `split` by clipping or not."""
    n = len(steps.other)
    if steps.false is None:
        kinds = [("negatives", NEUTRAL, np.ones(n, bool))]
    else:
        false = np.asarray(steps.false, bool)
        kinds = [("other class", IRRELEVANT, ~false), ("same class", RELEVANT, false)]
    for name, colour, mask in kinds:
        if split:
            yield f"{name}, not clipped", colour, False, mask & ~steps.clipped
            yield f"{name}, clipped ✂", colour, True, mask & steps.clipped
        else:
            yield name, colour, False, mask


@cached_figure
def by_negative(
    values: np.ndarray,
    steps: AnchorSteps,
    *,
    y: str,
    key: str,
    height: int,
    order: np.ndarray | None = None,
    clipped: bool = False,
) -> go.Figure:
    """A bar for each negative of an anchor, coloured by class; clipped ones pale if `clipped`.

    Args:
        values: `[n]` in the order of `steps`.
        order: `[n]` in which the bars are drawn; None: the most similar on the right, as in the histogram.
    """
    figure = go.Figure()
    x = "negatives, the most similar on the right →" if order is None else "negatives, as in the batch"
    order = np.arange(len(values))[::-1] if order is None else order
    for name, colour, cut, mask in _groups(steps, split=clipped):
        bars = mask[order]
        if bars.any():
            style = {"marker_line_width": 0, "marker_color": pale(colour) if cut else colour}
            hover = f"{name}: %{{y:.4f}}<extra></extra>"
            figure.add_bar(x=np.flatnonzero(bars), y=values[order][bars], name=name, hovertemplate=hover, **style)
    figure.update_layout(bargap=0, barmode="overlay")
    return set_layout(figure, x, y, key=key).update_layout(height=height)


@cached_figure
def forces(steps: AnchorSteps, *, key: str, height: int) -> go.Figure:
    """Gradient arrows of one anchor: its positive is pulled in, its negatives are pushed away.

    An image's distance is 1 − cosine, its direction has no meaning; the longest arrow is the largest force. Pale
    points are clipped negatives, pale arrows what clipping removes.
    """
    n = min(AROUND, len(steps.other))
    angle = math.pi / 2 + 2 * math.pi * (np.arange(n) * 0.618034 % 1)
    radius = np.maximum(1 - steps.similarity[:n], 0.05)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    distance = max(1 - steps.positive_similarity, 0.15 * float(radius.max(initial=1.0)))  # clear of the anchor's marker
    before, after = steps.before.gradient[:n], steps.after.gradient[:n]
    most = max(np.abs(before).max(initial=1e-9), np.abs(after).max(initial=1e-9))
    longest = 0.45 * max(float(radius.max(initial=0.5)), distance)
    figure, groups = go.Figure(), [(*group, mask[:n]) for *group, mask in _groups(steps, split=True)]

    for name, colour, cut, mask in groups:
        if mask.any():
            style = {"size": 11, "color": pale(colour) if cut else colour, "line": {"color": colour, "width": 2 * cut}}
            _points(figure, x[mask], y[mask], name, style, f"{name}: cosine", steps.similarity[:n][mask])
    style, cosine = {"size": 13, "color": POSITIVE}, [steps.positive_similarity]
    _points(figure, [0], [-distance], "positive, pulled in", style, "the other view: cosine", cosine)
    _points(figure, [0], [0], "anchor", {"size": 16, "symbol": "star", "color": ANCHOR}, "the anchor: cosine", [1.0])

    def push(values: np.ndarray, mask: np.ndarray, colour: str, *, faint: bool) -> None:
        starts = np.stack([x, y])[:, mask]
        _arrows(figure, starts, starts * (1 + longest * values[mask] / most / radius[mask]), colour, faint)

    for _, colour, cut, mask in groups:
        if cut:
            push(before, mask & (before - after > 1e-3 * most), colour, faint=True)
        push(after, mask & (after > 1e-3 * most), colour, faint=False)
    pull = min(0.8, abs(steps.after.positive_gradient) / most * longest / distance)
    _arrows(figure, np.array([[0], [-distance]]), np.array([[0], [-distance * (1 - pull)]]), POSITIVE, False)
    hidden = {"showgrid": False, "zeroline": False, "showticklabels": False}
    figure = set_layout(figure, "distance from the anchor: 1 − cosine", "", key=key, xaxis=hidden, yaxis=hidden)
    figure.update_yaxes(scaleanchor="x")
    return figure.update_layout(height=height)


def _points(figure: go.Figure, x, y, name: str, marker: dict, hover: str, cosines) -> None:
    options = {"mode": "markers", "marker": marker, "customdata": cosines}
    figure.add_scatter(x=x, y=y, name=name, hovertemplate=f"{hover} %{{customdata:.2f}}<extra></extra>", **options)


def _arrows(figure: go.Figure, starts: np.ndarray, ends: np.ndarray, colour: str, faint: bool) -> None:
    """Arrows between points `[2, n]` as one line with gaps, since the browser draws annotations one by one."""
    n = starts.shape[1]
    x, y = np.stack([starts, ends, np.full((2, n), np.nan)], axis=-1).reshape(2, 3 * n)  # a gap after each arrow
    marker = {"symbol": "arrow", "angleref": "previous", "size": [0, HEAD, 0] * n, "color": colour}
    look = {"line": {"width": 1.5 if faint else 2.5, "color": colour}, "opacity": THIN if faint else 1}
    look |= {"marker": marker, "hoverinfo": "skip", "showlegend": False}
    if n:
        figure.add_scatter(x=x, y=y, name="force", mode="lines+markers", **look)
