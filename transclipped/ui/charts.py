"""Plotly figures: `show` draws one with buttons to save it, larger on a projector; `csv_of` is its table."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.ui.chart_text import described
from transclipped.ui.presenting import scale
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import class_colour

HEIGHT, WIDEST = 320, 1100  # px; wider, a figure of few points is stretched flat
TICK, TITLE = 12, 14  # px, font sizes that Streamlit gives an axis
FLATTEST, SQUARE = 3.6, 1.4  # largest ratio of width to height: of any chart, and of one with square cells
LINE, POINT = 2.0, 6.0  # plotly's default line width and marker size
BARE = {"l": 45, "b": 66}  # room (px) of axes whose only title is below
TITLED = {"l": 80, "b": 72}  # room of axes with both titles and numbers up to 9,999
EDGE, LETTER, LONG = 49, 7, 20  # px beside names, px of a letter of a name, letters that room is kept for at most
COLUMNS = ("trace", "x", "y", "value", "error")
KINDS = {  # ending: (label, MIME type, icon)
    "csv": ("Data as CSV", "text/csv", ":material/table:"),
    "svg": ("Figure as SVG", "image/svg+xml", ":material/image:"),
}
SAVED = "The camera above the chart saves the current view (SVG, sharp at any size)."

# Shared by all visitors, so read-only. Pass long curves as arrays: lists are hashed number by number, 4 to 9 µs each.
cached_figure = st.cache_resource(max_entries=32, show_spinner=False)


def show(figure: go.Figure, *, key: str, name: str, **options):
    """Draw a figure, with buttons to save it as SVG and CSV, larger on a projector, and its description.

    Args:
        key: of the chart, unique on the page.
        name: of the saved files, without an extension.
        options: of `st.plotly_chart`, such as `on_select`, whose selection is returned.
    """
    config = {"displaylogo": False, "toImageButtonOptions": {"format": "svg", "filename": name}}
    grown = enlarged(figure, scale())
    options = {"width": widest(grown), "alt": described(figure)} | options
    selection = st.plotly_chart(grown, key=key, config=config, **options)
    with saving(key), st.popover("Save", type="tertiary", icon=":material/download:"):
        st.caption(SAVED)
        offer(lambda: csv_of(figure), key=key, name=name)
    return selection


def widest(figure: go.Figure) -> int:
    """Pixels beyond which a figure only gets flatter, or its colour scale moves away from its square cells."""
    square = any(axis.scaleanchor for axis in figure.select_yaxes())
    return round((figure.layout.height or HEIGHT) * (SQUARE if square else FLATTEST))


def saving(key: str):
    """A container below a figure for its save buttons."""
    return st.container(horizontal=True, key=f"save-{key}")


def offer(data: Callable[[], bytes], *, key: str, name: str, kind: str = "csv", **options) -> None:
    """A button that saves numbers as CSV or a figure as SVG, generated when pressed."""
    label, mime, icon = KINDS[kind]
    st.download_button(
        label, data, f"{name}.{kind}", mime, key=f"{kind} {key}", on_click="ignore", icon=icon, **options
    )


def curves(
    lines: dict[str, tuple[Sequence, Sequence]],
    *,
    x: str,
    y: str,
    key: str,
    log_x: bool = False,
    looks: dict[str, tuple[int, bool]] | None = None,
) -> go.Figure:
    """Named lines (x values, y values) in one figure.

    Args:
        looks: number of its colour, and whether a line is dashed, by name; otherwise every line has its own colour.
    """
    figure = go.Figure()
    for i, (name, (xs, ys)) in enumerate(lines.items()):
        number, dashed = (looks or {}).get(name, (i, False))
        line = {"color": class_colour(number), "width": 2.5, "dash": "dash" if dashed else "solid"}
        figure.add_scatter(x=xs, y=ys, name=for_plotly(name), mode="lines", line=line)
    axes = {"xaxis_type": "log" if log_x else "linear", "showlegend": len(lines) > 1}
    return set_layout(figure, x, y, key=key, room=TITLED, **axes)


def beside(names: Sequence[str]) -> dict[str, int]:
    """Room of axes with names on the left and a title below."""
    return BARE | {"l": EDGE + LETTER * min(LONG, max(map(len, names), default=0)), "r": 15}


def set_layout(figure: go.Figure, x: str, y: str, *, key: str, room: dict[str, int] | None = None, **axes) -> go.Figure:
    """The figure itself, with axis titles and the height, margins and legend that all figures share.

    Args:
        key: names the content; the visitor's zoom is kept while it stays the same.
        room: pixels beside the axes for labels, titles and legend, such as `TITLED`. Plotly makes room where there is
            too little, but draws the figure twice for it.
        axes: further settings of plotly's layout.
    """
    figure.update_layout(
        height=HEIGHT,
        margin={"l": 10, "r": 10, "t": 10, "b": 10} | (room or {}),
        uirevision=key,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        xaxis_title=x,
        yaxis_title=y,
        **axes,
    )
    return figure


def csv_of(figure: go.Figure) -> bytes:
    """UTF-8 CSV of all traces, a line per point, bar or cell: trace, x, y, value, error; no unused columns."""
    import pandas as pd  # slow, so on a click only

    lines = [line for trace in figure.data for line in _lines(trace)]
    table = pd.DataFrame(lines, columns=COLUMNS, dtype=object)
    used = [name for name in COLUMNS if name == "trace" or (table[name] != "").any()]
    text = table[used].to_csv(index=False, lineterminator="\n", na_rep="nan")
    return text.encode("utf-8-sig")  # the byte order mark tells spreadsheets that it is UTF-8


def enlarged(figure: go.Figure, factor: float) -> go.Figure:
    """A copy with text, lines, points and height enlarged by `factor`; the figure itself if it is 1."""
    if factor == 1:
        return figure
    grown, tick = go.Figure(figure), TICK * factor
    height = (figure.layout.height or 450) * factor
    grown.update_layout(font_size=tick, legend_font_size=tick, hoverlabel_font_size=tick, height=height)
    if figure.layout.margin.r is not None:
        grown.update_layout(margin_r=figure.layout.margin.r * factor)  # holds the labels of lines
    for update in (grown.update_xaxes, grown.update_yaxes):
        update(tickfont_size=tick, title_font_size=TITLE * factor)
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
            yield from ((name, x, y, _python(value), "") for x, value in zip(xs, row, strict=True))
        return
    x, y = getattr(trace, "x", None), getattr(trace, "y", None)
    n = max(len(values) if values is not None else 0 for values in (x, y))
    errors = trace.error_y.array if trace.type in ("scatter", "bar") else None
    errors = [_python(error) for error in errors] if errors is not None else [""] * n
    for x_i, y_i, error in zip(_column(x, n), _column(y, n), errors, strict=False):
        yield (name, x_i, y_i, "", error)


def _column(values, n: int) -> list:
    return [_python(value) for value in values] if values is not None else list(range(n))


def _python(value):
    if isinstance(value, np.float32 | np.float16):
        return float(str(value))  # 0.373; item() would give 0.37299999594688416
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return ""
    return html.unescape(value) if isinstance(value, str) else value
