"""Bars of what a codebook adds to a score."""

import re

import pytest

from transclipped.ui.retrieval.charts import part


def lengths(drawn: str) -> list[float]:
    """Per cent of the bar, and of the line at the most that could be."""
    return [float(found) for found in re.findall(r"(?:width: |calc\()([\d.]+)%", drawn)]


@pytest.mark.parametrize(
    ("value", "best", "top", "expected"),
    [(0.1, 0.15, 0.2, [50, 75]), (0.2, 0.2, 0.2, [100, 100]), (-0.1, 0.1, 0.2, [0, 50]), (-0.2, -0.1, -0.1, [0, 0])],
)
def test_bar_and_line_are_shares_of_the_largest_and_nothing_where_less_than_zero(value, best, top, expected):
    drawn = part(value, best, top=top)
    assert lengths(drawn) == expected
    assert f"{value:.3f} of at most {best:.3f}" in drawn
