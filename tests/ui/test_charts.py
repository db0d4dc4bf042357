"""What a figure shows, read back from its CSV; and its larger copy for a projector."""

import csv
import io

import numpy as np
import plotly.graph_objects as go
import pytest

from transclipped.ui.charts import csv_of, enlarged


def read(figure) -> list[dict]:
    return list(csv.DictReader(io.StringIO(csv_of(figure).decode("utf-8-sig"))))


def test_each_point_of_each_line_is_a_line_of_the_csv():
    figure = go.Figure()
    figure.add_scatter(x=np.array([1, 2, 5]), y=np.array([0.1, 0.25, 1 / 3]), name="first, with comma")
    figure.add_bar(x=["a", "b"], y=[3, 4], name="bars")
    lines = read(figure)
    assert [line["trace"] for line in lines] == ["first, with comma"] * 3 + ["bars"] * 2
    assert [float(line["y"]) for line in lines] == [0.1, 0.25, 1 / 3, 3, 4]
    assert [line["x"] for line in lines] == ["1", "2", "5", "a", "b"]
    assert set(lines[0]) == {"trace", "x", "y"}


def test_a_heat_map_is_a_line_a_cell():
    figure = go.Figure(go.Heatmap(z=[[1, 2, 3], [4, np.nan, 6]], x=["p", "q", "r"], y=["u", "v"]))
    cells = {(line["x"], line["y"]): line["value"] for line in read(figure)}
    assert cells[("p", "u")] == "1.0" and cells[("r", "v")] == "6.0" and cells[("q", "v")] == "nan"
    assert len(cells) == 6


def test_short_floats_are_written_as_short_as_they_are():
    figure = go.Figure(go.Heatmap(z=np.array([[0.373]], np.float32)))
    assert read(figure)[0]["value"] == "0.373"


def test_values_alone_are_numbered_and_intervals_kept():
    figure = go.Figure(go.Scatter(y=[5, 6], error_y={"type": "data", "array": [0.5, None]}))
    assert [(line["x"], line["error"]) for line in read(figure)] == [("0", "0.5"), ("1", "")]


def test_enlarging_grows_text_lines_points_and_height_of_a_copy():
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


def test_at_the_usual_scale_a_figure_is_left_as_it_is():
    figure = go.Figure(go.Scatter(x=[1], y=[2]))
    assert enlarged(figure, 1.0) is figure


def test_enlarging_takes_heat_maps_and_bars_too():
    figure = go.Figure([go.Heatmap(z=[[1, 2]]), go.Bar(x=[1], y=[2])])
    assert enlarged(figure, 2).layout.height == 900
