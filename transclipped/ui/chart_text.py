"""Charts in words, for screen readers: axes, and the range of each line, group of points, bars or heat map."""

from __future__ import annotations

import html
import re

import numpy as np
import plotly.graph_objects as go

MOST = 10  # traces that are described one by one
KINDS = {"bar": "bars", "heatmap": "heat map", "histogram": "histogram"}
_TAG = re.compile(r"<[^>]*>")


def described(figure: go.Figure) -> str:
    """A figure in plain sentences: what its axes are, and where each trace is lowest and highest."""
    axes = [_words(axis.title.text) for axis in (figure.layout.xaxis, figure.layout.yaxis)]
    names = ("Horizontal axis", "Vertical axis")
    sentences = [f"{name}: {axis}." for name, axis in zip(names, axes, strict=True) if axis]
    traces = [sentence for trace in figure.data if (sentence := _trace(trace))]
    more = len(traces) - MOST
    return " ".join(["Chart.", *sentences, *traces[:MOST], *([f"And {more} more."] if more > 0 else [])])


def _trace(trace) -> str:
    """What a trace shows, or "" if it holds nothing that can be read."""
    kind = KINDS.get(trace.type) or ("line" if "lines" in (getattr(trace, "mode", None) or "lines") else "points")
    name = _words(trace.name)
    if trace.type == "heatmap":
        values, where = _numbers(trace.z), _cells(trace)
    else:
        sideways = getattr(trace, "orientation", None) == "h" or not len(_numbers(trace.y))
        along, values = (trace.y, trace.x) if sideways else (trace.x, trace.y)
        values, where = _numbers(values), _places(along)
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return ""
    low, high = known[values[known].argmin()], known[values[known].argmax()]
    start = f"{name}, {kind}" if name else kind.capitalize()
    if values[low] == values[high]:
        return f"{start}: {len(known):,}, all {values[low]:.4g}."
    return f"{start}: {len(known):,}, from {values[low]:.4g}{where(low)} to {values[high]:.4g}{where(high)}."


def _numbers(values) -> np.ndarray:
    """Numbers of a trace, flat; none if they are names."""
    try:
        return np.asarray([] if values is None else values, dtype=float).ravel()
    except (TypeError, ValueError):
        return np.array([])


def _places(along):
    """How to name the place of the i-th value."""
    return lambda i: "" if along is None or i >= len(along) else f" at {_short(along[i])}"


def _cells(trace):
    columns = np.shape(trace.z)[-1] if trace.z is not None and np.ndim(trace.z) == 2 else 0
    if not columns or trace.x is None or trace.y is None:
        return lambda i: ""
    return lambda i: f" at {_short(trace.y[i // columns])}, {_short(trace.x[i % columns])}"


def _short(value) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else _words(str(value))


def _words(text: str | None) -> str:
    return html.unescape(_TAG.sub(" ", text or "")).strip()
