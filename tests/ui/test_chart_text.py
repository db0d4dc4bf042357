"""Charts in words: axes and ranges, whatever is drawn."""

import numpy as np
import plotly.graph_objects as go

from transclipped.ui.chart_text import MOST, described
from transclipped.ui.charts import set_layout


def test_a_line_has_its_axes_and_extremes():
    figure = go.Figure(go.Scatter(x=[0.7, 0.5, 0.3], y=[0.5, 0.6, 0.4], name="τ = 0.3 &amp; more", mode="lines"))
    words = described(set_layout(figure, "← δ", "<b>mAP</b>", key="x"))
    for part in ("← δ", "mAP", "τ = 0.3 & more, line", "3,", "0.4 at 0.3", "0.6 at 0.5"):
        assert part in words, part
    assert "<" not in words and "&amp;" not in words


def test_bars_on_their_side_are_named_by_what_stands_beside_them():
    figure = go.Figure(go.Bar(y=["cat", "dog"], x=[3, 8], orientation="h", name="images"))
    assert "from 3 at cat to 8 at dog" in described(figure)
    assert "from 3 at cat to 8 at dog" in described(go.Figure(go.Scatter(y=["cat", "dog"], x=[3, 8], mode="markers")))


def test_a_heat_map_names_rows_and_columns():
    figure = go.Figure(go.Heatmap(z=[[1, 2], [np.nan, 9]], x=["p", "q"], y=["u", "v"]))
    assert "3, from 1 at u, p to 9 at v, q" in described(figure)


def test_what_has_no_number_is_left_out():
    traces = [go.Scatter(x=[], y=[]), go.Scatter(x=[1], y=[None]), go.Scatter(x=["p"], y=["a"]), go.Heatmap()]
    assert described(go.Figure(traces)) == described(go.Figure()) == "Chart."


def test_values_of_numpy_and_equal_values_can_be_read():
    figure = go.Figure([go.Scatter(y=np.array([np.inf, 1, 1], np.float32), mode="markers"), go.Bar(y=[2, 3])])
    words = described(figure)
    assert "Points: 2, all 1." in words and "Bars: 2, from 2 to 3." in words


def test_many_lines_are_counted():
    figure = go.Figure([go.Scatter(y=[i, i + 1], name=f"line {i}") for i in range(MOST + 3)])
    words = described(figure)
    assert f"line {MOST - 1}," in words and f"line {MOST}," not in words and "3 more" in words
