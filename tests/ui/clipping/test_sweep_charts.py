"""The figure of a sweep: direction, values clear of the curves, and what is pale or faint."""

import pytest

from transclipped.clipping import swept
from transclipped.experiments.lab import curves
from transclipped.ui import theme
from transclipped.ui.clipping.sweep_charts import figure


def results(rule, values):
    line = {"clip_fraction": 0.1, "clip_precision": 0.5, "delta": 0.4}
    lines = [line | {"rule": rule, "amount": amount, "map": value} for amount, value in values.items()]
    return [line | {"rule": "none", "amount": None, "map": 0.4}, *lines]


def drawn(rule="threshold", values=None, *, pale=False):
    live = [("now", results(rule, values or {}) if values else [])]
    return figure(rule, live, curves.load(), temperature=0.3, pale=pale)


@pytest.mark.parametrize("rule", swept())
def test_more_clipping_is_left_for_every_rule(rule):
    left, right = drawn(rule).layout.xaxis.range
    most, least = swept()[rule].tried[-1], swept()[rule].tried[0]
    assert abs(left - most) < abs(left - least) and abs(right - least) < abs(right - most)


def test_values_stand_above_the_plot():
    labels = drawn(values={0.5: 0.55, 0.4: 0.6}).layout.annotations
    assert {(label.x, label.text) for label in labels} == {(0.5, "<b>0.550</b>"), (0.4, "<b>0.600</b>")}
    assert all((label.yref, label.y, label.yanchor) == ("paper", 1, "bottom") for label in labels)


def test_curves_at_other_temperatures_fade_once_there_are_results():
    def opacity(chart):
        return {trace.name: trace.opacity for trace in chart.data if trace.name.startswith("precomputed")}

    before, after = opacity(drawn()), opacity(drawn(values={0.5: 0.5}))
    assert len(set(before.values())) == 1
    assert after["precomputed, τ = 0.3"] == before["precomputed, τ = 0.3"] > 2 * after["precomputed, τ = 0.5"]


def test_one_line_without_clipping_is_drawn_at_the_temperature_of_the_results():
    names = [trace.name for trace in drawn(values={0.5: 0.5}).data]
    assert "none, τ = 0.3" not in names and "none, τ = 0.2" in names and "no clipping 0.400" in names


def test_results_of_an_earlier_session_are_pale():
    now, earlier = (drawn(values={0.5: 0.5}, pale=pale).data[-1] for pale in (False, True))
    assert earlier.line.color == theme.pale(now.line.color)


def test_an_unknown_rule_or_no_curve_is_an_empty_figure():
    chart = figure("rank", [("now", [])], [], temperature=0.3, pale=False)
    assert len(chart.data) == 0
