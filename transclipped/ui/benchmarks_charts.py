"""Figures of the Benchmarks page: numbers in, figure out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from transclipped.ui import charts
from transclipped.ui.charts import HEIGHT, _laid_out
from transclipped.ui.kept import kept
from transclipped.ui.theme import CLASS_COLOURS

WRITTEN = 12  # classes up to which a cell shows its number
ROW = 34  # pixels of a run in the heat map
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star")


@kept
def curves(lines: dict[str, tuple[list, list]], *, x: str, y: str, key: str, log_x: bool) -> go.Figure:
    """A line a run, over each other and from 0."""
    return charts.curves(lines, x=x, y=y, key=key, log_x=log_x).update_yaxes(rangemode="tozero")


@kept
def class_map(runs: list[str], classes: list[str], cells: np.ndarray, *, key: str) -> go.Figure:
    """mAP of each run `[runs, classes]` by class."""
    figure = go.Figure(
        go.Heatmap(
            z=np.round(cells, 4),
            x=classes,
            y=runs,
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
    return _laid_out(figure, "", "", key=key).update_layout(height=110 + ROW * len(runs))


@kept
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
    figure = _laid_out(figure, x, value, key=key, xaxis_autorange="reversed" if falling else True)
    return figure.update_layout(height=HEIGHT + 60)


@kept
def means(table: pd.DataFrame, *, x: str, line: list[str], value: str, key: str) -> go.Figure:
    """Mean and interval over a setting `x`, a line or a set of points for each combination of the columns `line`."""
    figure = go.Figure()
    numeric = pd.api.types.is_numeric_dtype(table[x])
    table = table.sort_values([*line, x] if numeric else line) if numeric or line else table
    order = [str(value) for value in (sorted(table[x].unique()) if numeric else table[x].unique())]
    groups = table.groupby(line, sort=False, dropna=False) if line else [("", table)]
    for i, (name, points) in enumerate(groups):
        name = " · ".join(str(part) for part in (name if isinstance(name, tuple) else (name,)))
        figure.add_scatter(
            x=points[x].astype(str), y=points["mean"], error_y=_whiskers(points), name=name,
            mode="lines+markers" if numeric else "markers",
            line={"color": CLASS_COLOURS[i % len(CLASS_COLOURS)], "width": 2},
            marker={"size": 9, "symbol": SYMBOLS[i % len(SYMBOLS)], "color": CLASS_COLOURS[i % len(CLASS_COLOURS)]},
        )  # fmt: skip
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    return _laid_out(figure, x, value, key=key, showlegend=len(figure.data) > 1).update_layout(height=HEIGHT + 40)


def _whiskers(points: pd.DataFrame) -> dict:
    known = points["half"].notna()
    return {"type": "data", "array": points["half"].where(known, None).tolist(), "visible": bool(known.any())}
