"""Figures of the Benchmarks page: axes that fit what is drawn."""

import numpy as np
import pandas as pd
import pytest

from transclipped.analysis.gains import Gain
from transclipped.analysis.seeds import Interval
from transclipped.ui.benchmarks import charts


def test_curves_fill_the_axis_and_keep_its_zoom_while_numbers_change():
    one, other = (
        charts.curves({"a": ([1, 10], [0.7, high]), "b": ([1, 10], [0.65, 0.6])}, x="k", y="p", key="it", log_x=True)
        for high in (0.6, 0.8)
    )
    assert one.layout.yaxis.rangemode in (None, "normal") and one.layout.yaxis.range is None
    assert one.layout.uirevision == other.layout.uirevision == "it"


def study(amounts: list[float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Means from weak to strong clipping at two temperatures, and without clipping."""
    rows = [(t, a, 1, 0.5 + t + a / 10, np.nan) for t in (0.2, 0.3) for a in amounts]
    lines = pd.DataFrame(rows, columns=["temperature", "amount", "n", "mean", "half"])
    base = pd.DataFrame({"temperature": [0.2, 0.3], "n": 1, "mean": [0.4, 0.41], "half": np.nan})
    return lines, base


@pytest.mark.parametrize("amounts", [[0.7, 0.5, 0.4], [0.02, 0.05, 0.2], [2.0], [1.5, 1.0]])
def test_more_clipping_is_left_and_no_clipping_the_right_end(amounts):
    lines, base = study(amounts)
    figure = charts.inverted_u(lines, base, x="amount", value="mAP", key=str(amounts))
    left, right = figure.layout.xaxis.range
    towards = np.sign(right - left)
    positions = dict(zip(figure.layout.xaxis.ticktext, figure.layout.xaxis.tickvals, strict=True))
    on_screen = [towards * (positions[f"{amount:g}"] - left) for amount in amounts]
    assert on_screen == sorted(on_screen, reverse=True)  # weak at the right
    assert towards * (positions["none"] - left) > max(on_screen)
    assert all(0 < towards * (value - left) < abs(right - left) for value in positions.values())
    dashed = [trace for trace in figure.data if trace.line.dash == "dash"]
    assert [(trace.x[0], trace.y[0]) for trace in dashed] == [(positions["none"], 0.4), (positions["none"], 0.41)]


def test_names_are_ordered_by_value_with_a_line_at_none():
    rows = [("none", bits, 3, 0.5, 0.01) for bits in (16, 32)]
    rows += [("best", bits, 3, 0.6 + bits / 1000, 0.01) for bits in (16, 32)]
    rows += [("worst", bits, 3, 0.1, 0.01) for bits in (16, 32)]
    table = pd.DataFrame(rows, columns=["label", "bits", "n", "mean", "half"])
    figure = charts.means(table, x="label", line=[], panel=["bits"], value="mAP", key="by value")
    assert list(figure.layout.yaxis.categoryarray) == ["best", "none", "worst"]
    assert figure.layout.yaxis.autorange == "reversed"
    assert [(line.x0, line.x1, line.xref) for line in figure.layout.shapes] == [(0.5, 0.5, "x"), (0.5, 0.5, "x2")]
    without = charts.means(table[table["label"] != "none"], x="label", line=[], panel=[], value="mAP", key="no none")
    assert not without.layout.shapes


def test_gains_have_a_colour_a_pair_and_foreign_names_escaped():
    def gain(value: float, half: float | None) -> Gain:
        about = {"rule": "rank q = 0.1", "backbone": "<b>net</b>", "dataset": "d", "protocol": "I", "bits": 32, "k": 10}
        return Gain(**about, without=0.5, clipped=0.5 + value, gain=Interval(value, half, 1), over="seeds", runs=())

    figure = charts.gains([gain(0.1, 0.02), gain(-0.05, None)], key="two")
    first, second = figure.data
    assert list(first.x) == [0.5, 0.6] and list(second.x) == [0.5, 0.45]
    assert first.marker.color == first.line.color != second.line.color
    assert list(first.marker.symbol) == ["circle-open", "circle"]
    assert "+0.100" in first.text[1] and "± 0.020" in first.text[1]
    assert "−0.050" in second.text[1] and "±" not in second.text[1]
    assert (first.textposition, second.textposition) == ("middle right", "middle left")
    assert "<b>net" not in first.y[0] and "&lt;b&gt;net" in first.y[0]
    assert [(label.y, label.text) for label in figure.layout.annotations] == [
        (trace.y[0],) * 2 for trace in figure.data
    ]
    low, high = figure.layout.xaxis.range
    assert low < 0.45 and high > 0.6


def test_a_line_may_be_dashed_in_the_colour_of_another():
    lines = {name: ([1, 2], [0.5, 0.4]) for name in ("none", "rank", "other")}
    looks = {"none": (0, True), "rank": (0, False), "other": (1, False)}
    none, rank, other = charts.curves(lines, x="k", y="p", key="looks", looks=looks).data
    assert none.line.color == rank.line.color != other.line.color
    assert [trace.line.dash for trace in (none, rank, other)] == ["dash", "solid", "solid"]
