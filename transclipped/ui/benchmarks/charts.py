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

WRITTEN = 12  # classes up to which a cell shows its number
ROW = 34  # pixels of a run in the heat map
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")


@charts.cached_figure
def curves(lines: dict[str, tuple[list, list]], *, x: str, y: str, key: str, log_x: bool) -> go.Figure:
    """A line a run, over each other; the axis fits the lines, which from 0 would lie on each other."""
    return charts.curves(lines, x=x, y=y, key=key, log_x=log_x)


@charts.cached_figure
def class_map(runs: list[str], classes: list[str], cells: np.ndarray, *, key: str) -> go.Figure:
    """mAP of each run `[runs, classes]` by class."""
    figure = go.Figure(
        go.Heatmap(
            z=np.round(cells, 4),
            x=list(map(for_plotly, classes)),
            y=list(map(for_plotly, runs)),
            zmin=0,
            zmax=1,
            colorscale="Cividis",
            colorbar={"title": "mAP", "thickness": 12},
            texttemplate="%{z:.2f}" if len(classes) <= WRITTEN else None,
            hovertemplate="%{y}, %{x}: %{z:.3f}<extra></extra>",
            hoverongaps=False,
        )
    )
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(type="category")
    return set_layout(figure, "", "", key=key).update_layout(height=110 + ROW * len(runs))


@charts.cached_figure
def inverted_u(lines: pd.DataFrame, unclipped: pd.DataFrame, *, x: str, value: str, key: str) -> go.Figure:
    """A value over the amount of clipping, a line for each temperature; no clipping is dashed in its colour."""
    figure = go.Figure()
    for i, (temperature, points) in enumerate(lines.groupby("temperature")):
        colour = CLASS_COLOURS[i % len(CLASS_COLOURS)]
        figure.add_scatter(
            x=points["amount"], y=points["mean"], error_y=_whiskers(points), name=f"τ = {temperature:g}",
            mode="lines+markers", line={"color": colour, "width": 2.5},
            marker={"size": 8, "symbol": SYMBOLS[i % len(SYMBOLS)]},
        )  # fmt: skip
        base = unclipped.loc[unclipped["temperature"] == temperature, "mean"]
        if len(base) and len(points):
            figure.add_scatter(
                x=[points["amount"].min(), points["amount"].max()], y=[base.iloc[0]] * 2,
                name=f"τ = {temperature:g}, no clipping", mode="lines",
                line={"color": colour, "width": 1.5, "dash": "dash"},
            )  # fmt: skip
    falling = len(lines) > 1 and lines["amount"].iloc[0] > lines["amount"].iloc[1]
    figure = set_layout(figure, x, value, key=key, xaxis_autorange="reversed" if falling else True)
    return figure.update_layout(height=HEIGHT + 60)


@charts.cached_figure
def means(table: pd.DataFrame, *, x: str, line: list[str], panel: list[str], value: str, key: str) -> go.Figure:
    """Mean and interval over a setting `x`, in a colour for each combination of the columns `line`.

    Numbers are joined by lines from left to right; names stand below each other, in a panel for each `panel`.
    """
    if pd.api.types.is_numeric_dtype(table[x]):
        return _over_numbers(table, x, line, value, key)
    return _by_name(table, x, line, panel, value, key)


def _over_numbers(table: pd.DataFrame, x: str, line: list[str], value: str, key: str) -> go.Figure:
    figure = go.Figure()
    for i, (name, points) in enumerate(_groups(table.sort_values([*line, x]), line)):
        figure.add_scatter(
            x=points[x].astype(str), y=points["mean"], error_y=_whiskers(points), name=name, mode="lines+markers",
            line={"color": CLASS_COLOURS[i % len(CLASS_COLOURS)], "width": 2}, marker=_mark(i),
        )  # fmt: skip
    order = [str(number) for number in sorted(table[x].unique())]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    return set_layout(figure, x, value, key=key, showlegend=len(figure.data) > 1).update_layout(height=HEIGHT + 40)


def _by_name(table: pd.DataFrame, y: str, line: list[str], panel: list[str], value: str, key: str) -> go.Figure:
    ordered = table.sort_values([*panel, *line], kind="stable") if panel or line else table
    panels = list(_groups(ordered, panel))
    lines = sorted(name for name, _ in _groups(table, line))
    figure = make_subplots(
        1, len(panels), shared_yaxes=True, horizontal_spacing=0.02,
        subplot_titles=[f"{title} {panel[0]}" for title, _ in panels] if panel else None,
    )  # fmt: skip
    for i, name in enumerate(lines if len(lines) > 1 else []):  # the legend, once for all panels
        figure.add_scatter(x=[None], y=[None], name=f"{line[0]} {name}", mode="markers", marker=_mark(i))
    for column, (title, inside) in enumerate(panels, 1):
        for name, points in _groups(inside, line):
            figure.add_scatter(
                x=points["mean"], y=points[y].map(for_plotly), error_x=_whiskers(points),
                name=" ".join(filter(None, (name, title))),
                mode="markers", marker=_mark(lines.index(name)), showlegend=False, orientation="h", offsetgroup=name,
                row=1, col=column,
            )  # fmt: skip
    figure = set_layout(figure, "", "", key=key, showlegend=len(lines) > 1, scattermode="group", scattergap=0.4)
    order = table[y].map(for_plotly).unique()
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=order, autorange="reversed")
    half = table["half"].fillna(0)
    low, high = (table["mean"] - half).min(), (table["mean"] + half).max()
    room = 0.05 * (high - low or 1)
    figure.update_xaxes(title=value, nticks=4, range=[low - room, high + room])  # one scale, so that panels compare
    return figure.update_layout(height=130 + ROW * table[y].nunique(), margin_t=60, legend_y=1.1)


def _groups(table: pd.DataFrame, by: list[str]) -> Iterator[tuple[str, pd.DataFrame]]:
    """Lines of a table by what they have in common, with its name for a legend; all of it where that is nothing."""
    if not by:
        yield "", table
        return
    for name, points in table.groupby(by, sort=False, dropna=False):
        yield for_plotly(" · ".join(map(str, name))), points


def _mark(i: int) -> dict:
    return {"size": 9, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": CLASS_COLOURS[i % len(CLASS_COLOURS)]}


def _whiskers(points: pd.DataFrame) -> dict:
    known = points["half"].notna()
    return {"type": "data", "array": points["half"].where(known, None).tolist(), "visible": bool(known.any())}
