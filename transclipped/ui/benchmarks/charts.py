"""Figures of the Benchmarks page: numbers in, figure out."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from transclipped.ui import charts
from transclipped.ui.charts import HEIGHT, set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import CLASS_COLOURS

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
def inverted_u(lines: pd.DataFrame, unclipped: pd.DataFrame, *, x: str, value: str, key: str) -> go.Figure:
    """A value over the amount of clipping, one line per temperature; no clipping is dashed in the same colour."""
    figure = go.Figure()
    for i, (temperature, points) in enumerate(lines.groupby("temperature")):
        name, mark = f"τ = {temperature:g}", _marker(i)
        line = {"color": mark["color"], "width": 2.5}
        data = {"x": points["amount"], "y": points["mean"], "error_y": _whiskers(points)}
        figure.add_scatter(name=name, mode="lines+markers", line=line, marker=mark | {"size": 8}, **data)
        base = unclipped.loc[unclipped["temperature"] == temperature, "mean"]
        if len(base) and len(points):
            ends = [points["amount"].min(), points["amount"].max()]
            dashed = {"color": mark["color"], "width": 1.5, "dash": "dash"}
            figure.add_scatter(x=ends, y=[base.iloc[0]] * 2, name=f"{name}, no clipping", mode="lines", line=dashed)
    falling = len(lines) > 1 and lines["amount"].iloc[0] > lines["amount"].iloc[1]
    figure = set_layout(figure, x, value, key=key, xaxis_autorange="reversed" if falling else True)
    return figure.update_layout(height=HEIGHT + 60)


@charts.cached_figure
def means(table: pd.DataFrame, *, x: str, line: list[str], panel: list[str], value: str, key: str) -> go.Figure:
    """Mean and interval over a setting `x`, in a colour for each combination of the columns `line`.

    Numbers are joined by lines from left to right; names are stacked, in a panel for each `panel`.
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
    figure = set_layout(figure, "", "", key=key, showlegend=len(lines) > 1, scattermode="group", scattergap=0.4)
    order = table[y].map(for_plotly).unique()
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
    return {"size": 9, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": CLASS_COLOURS[i % len(CLASS_COLOURS)]}


def _whiskers(points: pd.DataFrame) -> dict:
    present = points["half"].notna()
    return {"type": "data", "array": points["half"].where(present, None).tolist(), "visible": bool(present.any())}
