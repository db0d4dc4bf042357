"""Labels at line ends: their order, distance and place, and the range of the axis."""

from itertools import pairwise

import numpy as np
import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transclipped.ui import charts
from transclipped.ui.line_labels import MOST, _broken, label_ends, split, spread, without_prefix, y_range

finite = st.floats(-100, 100)


@given(st.lists(st.tuples(finite, st.floats(0.01, 10)), max_size=8))
def test_labels_keep_their_order_and_never_overlap_and_stay_inside_where_they_fit(labels):
    values, sizes = [value for value, _ in labels], [size for _, size in labels]
    low, high = min(values, default=0), max(values, default=0)
    places = spread(values, sizes, low, high)
    order = np.argsort(values, kind="stable").tolist()
    gaps = [(sizes[i] + sizes[j]) / 2 for i, j in pairwise(order)]
    assert all(places[j] - places[i] >= gap - 1e-6 for (i, j), gap in zip(pairwise(order), gaps, strict=True))
    if sum(gaps) <= high - low:
        assert all(low - 1e-6 <= place <= high + 1e-6 for place in places)


def test_labels_far_apart_stay_at_their_lines():
    assert spread([3.0, 1.0, 2.0], [0.5] * 3, 0, 4) == [3.0, 1.0, 2.0]
    assert spread([1.0, 1.0], [0.5] * 2, 0, 4) == [1.0, 1.5]
    assert spread([4.0, 4.0], [0.5] * 2, 0, 4) == [3.5, 4.0]
    assert spread([1.0, 1.0], [1.0, 0.5], 0, 4) == [1.0, 1.75]
    assert spread([], [], 0, 1) == []


@given(st.lists(finite, max_size=9), st.floats(0, 5))
def test_the_range_holds_all_values_and_is_wide_enough(values, least):
    low, high = y_range(np.array([*values, np.nan]), least)
    assert high > low and (not values or high - low >= least - 1e-9)
    assert all(low <= value <= high for value in values)


def test_a_small_change_is_drawn_small():
    low, high = y_range(np.array([0.604, 0.614]), 0.05)
    assert high - low == pytest.approx(0.05) and (low + high) / 2 == pytest.approx(0.609)
    low, high = y_range(np.array([0.2, 0.7]), 0.05)
    assert (low, high) == (pytest.approx(0.17), pytest.approx(0.73))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a-b-clipped", "a-b-none"], ["clipped", "none"]),
        (["run"], ["run"]),
        (["run", "run-2"], ["run", "run-2"]),
        (["a-1", "a-1"], ["1", "1"]),
        (["x", "y-z"], ["x", "y-z"]),
        ([], []),
    ],
)
def test_names_without_what_they_share(names, expected):
    assert without_prefix(names) == expected


@given(st.text(alphabet="ab -", max_size=60))
def test_long_labels_are_broken_and_lose_no_letter(text):
    lines = _broken(text)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(len(line) <= MOST or not {" ", "-"} & set(line[:-1]) for line in lines)


def test_each_line_of_each_panel_has_a_label_and_no_legend_is_left():
    figure = charts.curves({"one": ([0, 1], [0.0, 1.0]), "<b>": ([0, 1], [0.0, 1.0])}, x="", y="", key="")
    figure.add_scatter(x=[0, 1], y=[5.0, 6.0], name="above", yaxis="y2", line_color="#123456")
    figure.add_scatter(x=[], y=[], name="empty", line_color="#123456")
    label_ends(figure)
    assert [a.text.partition("</span> ")[2] for a in figure.layout.annotations] == ["one", "&lt;b&gt;", "above"]
    assert [a.yref for a in figure.layout.annotations] == ["y", "y", "y2"]
    one, other, _ = figure.layout.annotations
    assert one.y != other.y and all(
        figure.layout.yaxis.range[0] <= a.y <= figure.layout.yaxis.range[1] + 1 for a in (one, other)
    )
    assert figure.layout.yaxis2.range[0] < 5 and not figure.layout.showlegend
    assert "#123456" in figure.layout.annotations[2].text


def test_labels_replace_names_and_are_escaped():
    figure = charts.curves({"a-long-name": ([0], [1.0])}, x="", y="", key="")
    label_ends(figure, labels=["<i>name"])
    assert figure.layout.annotations[0].text.endswith("&lt;i&gt;name") and figure.data[0].name == "a-long-name"


def test_a_figure_without_lines_stays_as_it_is():
    assert label_ends(go.Figure()).layout.annotations == ()


@pytest.mark.parametrize("sizes", [[2, 1], [1, 1, 1]])
def test_panels_do_not_overlap_and_hold_their_lines(sizes):
    lines = {name: ([0, 1], [float(i), i + 1.0]) for i, name in enumerate("abc")}
    figure = label_ends(split(charts.curves(lines, x="epoch", y="nats", key=""), sizes))
    axes = [trace.yaxis or "y" for trace in figure.data]
    assert [axes.count(axis) for axis in dict.fromkeys(axes)] == sizes and axes[-1] == "y"
    domains = [figure.layout[f"yaxis{axis[1:]}"].domain for axis in dict.fromkeys(axes)]  # from the top
    assert all(above[0] > below[1] for above, below in pairwise(domains))
    assert domains[0][1] <= 1 and domains[-1][0] == 0
    assert [figure.layout[f"yaxis{axis[1:]}"].title.text for axis in dict.fromkeys(axes)].count("nats") == 1


def test_one_panel_changes_nothing():
    figure = charts.curves({"a": ([0], [1.0])}, x="", y="", key="")
    assert split(figure, [1]).layout.yaxis.domain is None
