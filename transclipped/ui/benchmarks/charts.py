"""Figures of the Benchmarks page: numbers in, figure out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from transclipped.analysis.benchmarks_study import UNCLIPPED
from transclipped.analysis.gains import Gain
from transclipped.ui import charts
from transclipped.ui.charts import HEIGHT, set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import class_colour

NUMBERED = 12  # classes up to which a cell shows its number
ROW = 34  # pixels of a run in the heat map
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")

curves = charts.cached_figure(charts.curves)


@charts.cached_figure
def class_map(runs: list[str], classes: list[str], cells: np.ndarray, *, key: str) -> go.Figure:
    """Heat map of mAP by run and class `[runs, classes]`."""
    scale = {"zmin": 0, "zmax": 1, "colorscale": "Cividis", "colorbar": {"title": "mAP", "thickness": 12}}
    text = "%{z:.2f}" if len(classes) <= NUMBERED else None
    hover = {"hovertemplate": "%{y}, %{x}: %{z:.3f}<extra></extra>", "hoverongaps": False}
    names = {"x": list(map(for_plotly, classes)), "y": list(map(for_plotly, runs))}
    figure = go.Figure(go.Heatmap(z=np.round(cells, 4), texttemplate=text, **names, **scale, **hover))
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(type="category")
    return set_layout(figure, "", "", key=key).update_layout(height=110 + ROW * len(runs))


@charts.cached_figure
def gains(pairs: list[Gain], *, key: str) -> go.Figure:
    """mAP without (open) and with clipping (filled) of each pair, in a colour of its own, with the gain beside it."""
    figure = go.Figure()
    for i, pair in enumerate(pairs):
        task = f"{pair.rule} · {pair.dataset} {pair.protocol} · {pair.bits} bits"
        name = f"{for_plotly(pair.backbone)}<br>{for_plotly(task)}"
        ends, colour = [pair.without, pair.clipped], class_colour(i)
        half = "" if pair.gain.half is None else f" ± {pair.gain.half:.3f}"
        text = ["", f"  <b>{'−' if pair.gain.mean < 0 else '+'}{abs(pair.gain.mean):.3f}</b>{half}  "]
        edge = {"width": 2.5, "color": colour}
        marker = {"size": 13, "symbol": ["circle-open", "circle"], "color": colour, "line": edge}
        beside = "middle right" if pair.clipped >= pair.without else "middle left"
        look = {"mode": "lines+markers+text", "marker": marker, "line": {"color": colour, "width": 3}}
        figure.add_scatter(x=ends, y=[name] * 2, name=name, text=text, textposition=beside, cliponaxis=False, **look)
        above = {"x": 0, "xref": "paper", "xanchor": "left", "yanchor": "bottom", "yshift": 8, "align": "left"}
        figure.add_annotation(y=name, text=name, showarrow=False, **above)  # beside the lines, narrow windows lack room
    values = [value for pair in pairs for value in (pair.without, pair.clipped)]
    room = 0.7 * (max(values) - min(values) or 0.1)
    figure.update_xaxes(range=[min(values) - room / 4, max(values) + room], nticks=6)
    figure.update_yaxes(autorange="reversed", type="category", showticklabels=False)
    figure = set_layout(figure, "mAP@K", "", key=key, room=charts.BARE, showlegend=False)
    return figure.update_layout(height=80 + 2 * ROW * len(pairs))


@charts.cached_figure
def inverted_u(lines: pd.DataFrame, unclipped: pd.DataFrame, *, x: str, value: str, key: str) -> go.Figure:
    """A value over the amount of clipping, more of it left, one line per temperature.

    No clipping is the right end, and a dashed line in the same colour.

    Args:
        lines: from weak to strong clipping at each temperature.
    """
    amounts = list(dict.fromkeys(lines["amount"]))
    rising = len(amounts) > 1 and amounts[0] < amounts[1]
    ordered = sorted(amounts)
    step = min((after - before for before, after in pairwise(ordered)), default=1.0)
    end = ordered[0] - step if rising else ordered[-1] + step  # of no clipping, at the right
    figure = go.Figure()
    for i, (temperature, points) in enumerate(lines.groupby("temperature")):
        name, mark = f"τ = {temperature:g}", _marker(i)
        line = {"color": mark["color"], "width": 2.5}
        data = {"x": points["amount"], "y": points["mean"], "error_y": _whiskers(points)}
        figure.add_scatter(name=name, mode="lines+markers", line=line, marker=mark | {"size": 8}, **data)
        base = unclipped.loc[unclipped["temperature"] == temperature, "mean"]
        if len(base) and len(points):
            ends = [end, ordered[-1] if rising else ordered[0]]
            dashed = {"color": mark["color"], "width": 1.5, "dash": "dash"}
            marks = {"color": mark["color"], "size": [9, 0], "symbol": "circle-open"}
            look = {"mode": "lines+markers", "line": dashed, "marker": marks}
            figure.add_scatter(x=ends, y=[base.iloc[0]] * 2, name=f"{name}, no clipping", **look)
    figure = set_layout(figure, f"{x}<br>(← more is clipped)", value, key=key)
    margin = step / 2
    ends = [min(*ordered, end) - margin, max(*ordered, end) + margin]
    labels = [*(f"{amount:g}" for amount in ordered), "none"]
    figure.update_xaxes(range=ends[::-1] if rising else ends, tickvals=[*ordered, end], ticktext=labels)
    return figure.update_layout(height=HEIGHT + 60)


@charts.cached_figure
def means(table: pd.DataFrame, *, x: str, line: list[str], panel: list[str], value: str, key: str) -> go.Figure:
    """Mean and interval over a setting `x`, in a colour for each combination of the columns `line`.

    Numbers are joined by lines from left to right. Names are stacked, the largest mean on top, in a panel for each
    `panel`; a dashed line marks the mean of the name "none".
    """
    if pd.api.types.is_numeric_dtype(table[x]):
        return _over_numbers(table, x, line, value, key)
    return _by_name(table, x, line, panel, value, key)


def _over_numbers(table: pd.DataFrame, x: str, line: list[str], value: str, key: str) -> go.Figure:
    figure = go.Figure()
    for i, (name, points) in enumerate(_groups(table.sort_values([*line, x]), line)):
        data = {"x": points[x].astype(str), "y": points["mean"], "error_y": _whiskers(points)}
        look = {"mode": "lines+markers", "marker": _marker(i), "line": {"color": _marker(i)["color"], "width": 2}}
        figure.add_scatter(name=name, **data, **look)
    order = [str(number) for number in sorted(table[x].unique())]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    return set_layout(figure, x, value, key=key, showlegend=len(figure.data) > 1).update_layout(height=HEIGHT + 40)


def _by_name(table: pd.DataFrame, y: str, line: list[str], panel: list[str], value: str, key: str) -> go.Figure:
    ordered = table.sort_values([*panel, *line], kind="stable") if panel or line else table
    panels = list(_groups(ordered, panel))
    lines = sorted(name for name, _ in _groups(table, line))
    titles = [f"{title} {panel[0]}" for title, _ in panels] if panel else None
    figure = make_subplots(1, len(panels), shared_yaxes=True, horizontal_spacing=0.02, subplot_titles=titles)
    for i, name in enumerate(lines if len(lines) > 1 else []):  # the legend, once for all panels
        figure.add_scatter(x=[None], y=[None], name=f"{line[0]} {name}", mode="markers", marker=_marker(i))
    for column, (title, inside) in enumerate(panels, 1):
        for name, points in _groups(inside, line):
            data = {"x": points["mean"], "y": points[y].map(for_plotly), "error_x": _whiskers(points)}
            look = {"mode": "markers", "marker": _marker(lines.index(name)), "showlegend": False}
            place = {"orientation": "h", "offsetgroup": name, "row": 1, "col": column}
            figure.add_scatter(name=" ".join(filter(None, (name, title))), **data, **look, **place)
            for mean in points.loc[points[y] == UNCLIPPED, "mean"]:
                dashed = {"line_dash": "dash", "line_width": 1.5, "line_color": look["marker"]["color"]}
                figure.add_vline(mean, row=1, col=column, **dashed)
    figure = set_layout(figure, "", "", key=key, showlegend=len(lines) > 1, scattermode="group", scattergap=0.4)
    order = table.groupby(y, sort=False)["mean"].mean().sort_values(ascending=False, kind="stable").index
    order = list(map(for_plotly, order))
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=order, autorange="reversed")
    half = table["half"].fillna(0)
    low, high = (table["mean"] - half).min(), (table["mean"] + half).max()
    room = 0.05 * (high - low or 1)
    figure.update_xaxes(title=value, nticks=4, range=[low - room, high + room])  # one scale, so that panels compare
    return figure.update_layout(height=130 + ROW * table[y].nunique(), margin_t=60, legend_y=1.1)


def _groups(table: pd.DataFrame, by: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Rows grouped by the columns `by`, with a name for the legend; the whole table if `by` is empty."""
    if not by:
        yield "", table
        return
    for name, points in table.groupby(by, sort=False, dropna=False):
        yield for_plotly(" · ".join(map(str, name))), points


def _marker(i: int) -> dict:
    return {"size": 9, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": class_colour(i)}


def _whiskers(points: pd.DataFrame) -> dict:
    present = points["half"].notna()
    return {"type": "data", "array": points["half"].where(present, None).tolist(), "visible": bool(present.any())}
