"""Readable quantities."""

import pytest

from transclipped.ui import quantities


@pytest.mark.parametrize(
    ("n", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (288, "288 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (9949, "9.9 kB"),
     (200_000, "200 kB"), (999_600, "1.0 MB"), (20_000_000, "20 MB"), (3_200_000_000, "3.2 GB")],
)  # pairs of a table  # fmt: skip
def test_bytes_have_a_suitable_unit(n, text):
    assert quantities.size(n) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "less than a second"), (0.4, "less than a second"), (1, "1 s"), (89, "89 s"), (120, "2 min"), (4800, "80 min"),
     (5400, "1 h 30 min")],
)  # pairs of a table  # fmt: skip
def test_seconds_have_a_suitable_unit(seconds, text):
    assert quantities.duration(seconds) == text


def test_a_share_of_a_small_total_is_shown_as_counts():
    assert quantities.share(3, 8) == "3 of 8" and quantities.share(0, 0) == "0 of 0"
    assert quantities.share(99, 99) == "99 of 99" and quantities.share(50, 100) == "50%"


def test_the_time_left_is_shown_if_known():
    assert quantities.time_left(8) == ", 8 s left" and quantities.time_left(None) == ""
    assert quantities.time_left(0) == f", {quantities.duration(0)} left"
