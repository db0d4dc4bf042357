"""Numbers as a person would say them."""

import pytest

from transclipped.ui import figures


@pytest.mark.parametrize(
    ("n", "said"),
    [(0, "0 bytes"), (1, "1 byte"), (288, "288 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (9949, "9.9 kB"),
     (200_000, "200 kB"), (999_600, "1.0 MB"), (20_000_000, "20 MB"), (3_200_000_000, "3.2 GB")],
)  # fmt: skip
def test_bytes_have_the_unit_that_suits_them(n, said):
    assert figures.size(n) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "less than a second"), (0.4, "less than a second"), (1, "1 s"), (89, "89 s"), (120, "2 min"), (4800, "80 min"),
     (5400, "1 h 30 min")],
)  # fmt: skip
def test_seconds_have_the_unit_that_suits_them(seconds, said):
    assert figures.duration(seconds) == said


def test_a_share_of_a_handful_is_given_as_counts():
    assert figures.share(3, 8) == "3 of 8" and figures.share(0, 0) == "0 of 0"
    assert figures.share(99, 99) == "99 of 99" and figures.share(50, 100) == "50%"


def test_the_time_left_is_said_where_it_is_known():
    assert figures.time_left(8) == ", 8 s left" and figures.time_left(None) == ""
    assert figures.time_left(0) == f", {figures.duration(0)} left"
