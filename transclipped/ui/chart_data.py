"""What a figure shows, as a table; and the same figure larger."""

from __future__ import annotations

import html
from collections.abc import Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go

TICK, TITLE = 12, 14  # font sizes in pixels that Streamlit gives an axis
LINE, POINT = 2.0, 6.0  # width and size that plotly takes where a trace names none
HEAD = ("trace", "x", "y", "value", "error")


def csv_of(figure: go.Figure) -> bytes:
    """UTF-8 CSV of all traces: a line a point, bar or cell, columns trace, x, y, value, error; unused columns go."""
    lines = [line for trace in figure.data for line in _lines(trace)]
    table = pd.DataFrame(lines, columns=HEAD, dtype=object)
    used = [name for name in HEAD if name == "trace" or (table[name] != "").any()]
    text = table[used].to_csv(index=False, lineterminator="\n", na_rep="nan")
    return text.encode("utf-8-sig")  # with the mark by which spreadsheets know UTF-8


def enlarged(figure: go.Figure, factor: float) -> go.Figure:
    """A copy with text, lines, points and height grown by `factor`; the figure itself at 1."""
    if factor == 1:
        return figure
    grown = go.Figure(figure)
    grown.update_layout(
        font_size=TICK * factor, legend_font_size=TICK * factor, hoverlabel_font_size=TICK * factor,
        height=(figure.layout.height or 450) * factor,
    )  # fmt: skip
    for update in (grown.update_xaxes, grown.update_yaxes):
        update(tickfont_size=TICK * factor, title_font_size=TITLE * factor)
    for trace in grown.data:
        if trace.type in ("scatter", "scattergl"):
            _grow(trace, factor)
    for shape in grown.layout.shapes:
        shape.line.width = (shape.line.width or LINE) * factor
    return grown


def _grow(trace, factor: float) -> None:
    trace.line.width = (LINE if trace.line.width is None else trace.line.width) * factor
    size = trace.marker.size
    trace.marker.size = (np.asarray(size, float) * factor).tolist() if size is not None else POINT * factor


def _lines(trace) -> Iterator[tuple]:
    name = html.unescape(trace.name or "")
    if trace.type == "heatmap":
        cells = np.asarray(trace.z)
        xs = _column(trace.x, cells.shape[1] if cells.ndim == 2 else 0)
        for row, y in zip(cells, _column(trace.y, len(cells)), strict=True):
            yield from ((name, x, y, _plain(value), "") for x, value in zip(xs, row, strict=True))
        return
    x, y = getattr(trace, "x", None), getattr(trace, "y", None)
    n = max(len(values) if values is not None else 0 for values in (x, y))
    errors = trace.error_y.array if trace.type in ("scatter", "bar") else None
    errors = [_plain(error) for error in errors] if errors is not None else [""] * n
    for x_i, y_i, error in zip(_column(x, n), _column(y, n), errors, strict=False):
        yield (name, x_i, y_i, "", error)


def _column(values, n: int) -> list:
    return [_plain(value) for value in values] if values is not None else list(range(n))


def _plain(value):
    if isinstance(value, np.float32 | np.float16):
        return float(str(value))  # 0.373, where a plain conversion would write 0.37299999594688416
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return ""
    return html.unescape(value) if isinstance(value, str) else value
