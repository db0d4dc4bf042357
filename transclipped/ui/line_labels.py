"""Labels at the ends of lines in place of a legend, and the range of the y axis that they need."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import plotly.graph_objects as go

from transclipped.ui.text import for_plotly

PITCH = 17  # px, height of a line of a label
PANEL = 90  # px, least height of a panel
AROUND = 90  # px of a figure's height outside its axes
LETTER, GAP = 6.6, 34  # px, width of a letter, and of the mark and the space around a label
MOST = 14  # letters of a line of a label; more are broken at a space or hyphen
PAD = 0.06  # of the range, below and above the lines


def label_ends(figure: go.Figure, *, least: float = 0.0, labels: Sequence[str] | None = None) -> go.Figure:
    """The figure itself, with a label at the end of each line, and without a legend.

    Args:
        least: smallest range of the y axis, so that noise does not look like a change.
        labels: for the lines in their order; by default their names, which hover boxes keep.
    """
    texts = [*labels] if labels is not None else [trace.name or "" for trace in figure.data]
    texts = [text if labels is None else for_plotly(text) for text in texts]
    panels: dict[str, list[int]] = {}
    for i, trace in enumerate(figure.data):
        if len(trace.y):
            panels.setdefault(trace.yaxis or "y", []).append(i)
    height = max(60, (figure.layout.height or 320) - AROUND) / max(1, len(panels))  # px of a panel
    longest = 0
    for axis, members in panels.items():
        ys = np.concatenate([np.asarray(figure.data[i].y, float) for i in members])
        low, high = y_range(ys, least)
        figure.update_layout({f"yaxis{axis[1:]}": {"range": [low, high]}})
        ends = [float(figure.data[i].y[-1]) for i in members]
        lines = [_broken(texts[i]) for i in members]
        longest = max(longest, *(len(line) for label in lines for line in label))
        sizes = [len(label) * PITCH / height * (high - low) for label in lines]
        for i, label, y in zip(members, lines, spread(ends, sizes, low, high), strict=True):
            _write(figure, figure.data[i], "<br>".join(label), y)
    if panels:
        figure.update_layout(showlegend=False, margin_r=round(LETTER * longest + GAP))
    return figure


def split(figure: go.Figure, sizes: Sequence[int]) -> go.Figure:
    """The figure itself, its lines in panels one below the other over one x axis, each with its own y axis.

    Args:
        sizes: numbers of lines of the panels, from the top.
    """
    n, first, title = len(sizes), 0, figure.layout.yaxis.title.text
    if n < 2:
        return figure
    for k, size in enumerate(sizes):
        number = n - k  # the lowest panel has the axis `y`, which the x axis stands on
        domain = [(number - 1) / n + (0.02 if number > 1 else 0), number / n - 0.02]
        axis = {"domain": domain, "title": {"text": title if k == n // 2 else ""}, "nticks": 4}
        figure.update_layout({f"yaxis{number if number > 1 else ''}": axis})
        for trace in figure.data[first : first + size]:
            trace.yaxis = f"y{number if number > 1 else ''}"
        first += size
    return figure.update_layout(height=max(figure.layout.height, PANEL * n + AROUND))


def y_range(values: np.ndarray, least: float = 0.0) -> tuple[float, float]:
    """Low and high end of an axis for finite values: a little beyond them, and at least `least` apart."""
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    pad = max(PAD * (high - low), (least - (high - low)) / 2)
    if pad <= 1e-6 * max(1.0, abs(low), abs(high)):  # a constant
        pad = 0.5
    return low - pad, high + pad


def spread(values: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres for labels near `values` that do not overlap: in the same order, inside [low, high] where they fit.

    Args:
        sizes: heights of the labels, in the unit of `values`.
    """
    order = sorted(range(len(values)), key=lambda i: values[i])
    places = [values[i] for i in order]
    gaps = [(sizes[i] + sizes[j]) / 2 for i, j in pairwise(order)]
    for i, gap in enumerate(gaps):  # upwards
        places[i + 1] = max(places[i + 1], places[i] + gap)
    ceiling = max(high, low + sum(gaps))
    for i in reversed(range(len(places))):  # and back from the upper end
        places[i] = min(places[i], ceiling - sum(gaps[i:]))
    result = [0.0] * len(places)
    for i, place in zip(order, places, strict=True):
        result[i] = place
    return result


def without_prefix(names: Sequence[str]) -> list[str]:
    """Names without the words, separated by hyphens, that they all begin with; each keeps its last word."""
    parts = [name.split("-") for name in names]
    shared = 0
    while len(names) > 1 and all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["-".join(p[shared:]) for p in parts]


def _broken(text: str) -> list[str]:
    """A text in lines of at most `MOST` letters where spaces and hyphens allow it."""
    lines = [""]
    for word in text.replace("-", "-\0").replace(" ", " \0").split("\0"):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > MOST:
            lines.append("")
        lines[-1] += word
    return [line.strip() for line in lines]


def _write(figure: go.Figure, trace: go.Scatter, text: str, y: float) -> None:
    mark = f'<span style="color: {trace.line.color}">━</span> '  # the text itself keeps the theme's contrast
    place = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 4, "y": y, "yref": trace.yaxis or "y"}
    figure.add_annotation(text=mark + text, showarrow=False, align="left", **place)
