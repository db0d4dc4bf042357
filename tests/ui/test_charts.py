"""The CSV of a figure, and its enlarged copy for a projector."""

import csv
import io

import numpy as np
import plotly.graph_objects as go
import pytest

from transclipped.ui import charts
from transclipped.ui.charts import csv_of, enlarged


def read(figure) -> list[dict]:
    return list(csv.DictReader(io.StringIO(csv_of(figure).decode("utf-8-sig"))))


def test_the_csv_has_a_line_per_point():
    figure = go.Figure()
    figure.add_scatter(x=np.array([1, 2, 5]), y=np.array([0.1, 0.25, 1 / 3]), name="first, with comma")
    figure.add_bar(x=["a", "b"], y=[3, 4], name="bars")
    lines = read(figure)
    assert [line["trace"] for line in lines] == ["first, with comma"] * 3 + ["bars"] * 2
    assert [float(line["y"]) for line in lines] == [0.1, 0.25, 1 / 3, 3, 4]
    assert [line["x"] for line in lines] == ["1", "2", "5", "a", "b"]
    assert set(lines[0]) == {"trace", "x", "y"}


def test_the_csv_of_a_heat_map_has_a_line_per_cell():
    figure = go.Figure(go.Heatmap(z=[[1, 2, 3], [4, np.nan, 6]], x=["p", "q", "r"], y=["u", "v"]))
    cells = {(line["x"], line["y"]): line["value"] for line in read(figure)}
    assert cells[("p", "u")] == "1.0" and cells[("r", "v")] == "6.0" and cells[("q", "v")] == "nan"
    assert len(cells) == 6


def test_float32_is_written_with_its_shortest_digits():
    figure = go.Figure(go.Heatmap(z=np.array([[0.373]], np.float32)))
    assert read(figure)[0]["value"] == "0.373"


def test_values_without_x_are_numbered_and_errors_included():
    figure = go.Figure(go.Scatter(y=[5, 6], error_y={"type": "data", "array": [0.5, None]}))
    assert [(line["x"], line["error"]) for line in read(figure)] == [("0", "0.5"), ("1", "")]


def test_a_copy_has_larger_text_lines_points_and_height():
    figure = go.Figure(go.Scatter(x=[1, 2], y=[1, 2], mode="lines+markers", line={"width": 3}, marker={"size": [4, 8]}))
    figure.update_layout(height=300)
    figure.add_hline(1, line_width=2)
    before = figure.to_json()
    grown = enlarged(figure, 1.5)
    assert grown.data[0].line.width == 4.5
    assert list(grown.data[0].marker.size) == [6, 12]
    assert grown.layout.height == 450
    assert grown.layout.shapes[0].line.width == 3
    assert grown.layout.xaxis.tickfont.size == pytest.approx(18)
    assert figure.to_json() == before


def test_at_scale_one_the_figure_itself_is_returned():
    figure = go.Figure(go.Scatter(x=[1], y=[2]))
    assert enlarged(figure, 1.0) is figure


def test_heat_maps_and_bars_can_be_enlarged():
    figure = go.Figure([go.Heatmap(z=[[1, 2]]), go.Bar(x=[1], y=[2])])
    assert enlarged(figure, 2).layout.height == 900


def test_beyond_some_width_a_figure_only_gets_flatter():
    line = charts.set_layout(go.Figure(go.Scatter(y=[1, 2])), "x", "y", key="k")
    square = go.Figure(line).update_yaxes(scaleanchor="x")
    assert charts.widest(line) > 2 * charts.widest(square) > charts.HEIGHT
    assert charts.widest(go.Figure(line).update_layout(height=2 * charts.HEIGHT)) == 2 * charts.widest(line)


def test_room_for_names_grows_with_the_longest_up_to_a_limit():
    every = [], ["cat"], ["cat", "automobile"], ["x" * 500]
    none, short, long, endless = (charts.beside(names)["l"] for names in every)
    assert none < short < long < endless < 200
    figure = charts.set_layout(go.Figure(), "x", "", key="k", room=charts.beside(["cat"]))
    assert figure.layout.margin.l == short and figure.layout.margin.t == 10
