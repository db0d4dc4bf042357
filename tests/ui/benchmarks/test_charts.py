"""Figures of the Benchmarks page: axes that fit what is drawn."""

from transclipped.ui.benchmarks import charts


def test_curves_fill_the_axis_and_keep_its_zoom_while_numbers_change():
    one, other = (
        charts.curves({"a": ([1, 10], [0.7, high]), "b": ([1, 10], [0.65, 0.6])}, x="k", y="p", key="it", log_x=True)
        for high in (0.6, 0.8)
    )
    assert one.layout.yaxis.rangemode in (None, "normal") and one.layout.yaxis.range is None
    assert one.layout.uirevision == other.layout.uirevision == "it"
