"""Kept figures: built once for one content, anew for another, not without end."""

import numpy as np
import plotly.graph_objects as go

from transclipped.ui import kept as module
from transclipped.ui.chart_data import enlarged
from transclipped.ui.kept import kept


def counted():
    built = []

    @kept
    def bars(values, *, key):
        built.append(key)
        return go.Figure(go.Bar(y=values), layout={"uirevision": key, "height": 200})

    return bars, built


def test_the_same_content_is_built_once():
    bars, built = counted()
    first = bars(np.arange(3.0), key="a")
    assert bars(np.arange(3.0), key="a") is first and built == ["a"]


def test_another_number_type_or_key_is_another_figure():
    bars, built = counted()
    seen = [bars(np.array([1.0, 2.0]), key="a"), bars(np.array([1.0, 2.5]), key="a"), bars([1.0, 2.0], key="a"),
            bars(np.array([1.0, 2.0]), key="b")]  # fmt: skip
    assert len(built) == len({id(figure) for figure in seen}) == 4
    assert list(seen[1].data[0].y) == [1.0, 2.5]


def test_only_the_last_ones_used_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    bars, built = counted()
    for key in ("a", "b", "a", "c", "a", "b"):
        bars([1], key=key)
    assert built == ["a", "b", "c", "b"]


def test_a_projector_leaves_the_shared_figure_as_it_is():
    bars, _ = counted()
    figure = bars([1], key="a")
    before = figure.to_json()
    assert enlarged(figure, 1.5).layout.height == 300
    assert figure.to_json() == before
