"""Times of earlier sweeps, in the visitor's time zone."""

from datetime import UTC, datetime

from transclipped.ui.clipping.sweep_origin import clock


def at(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_a_time_of_today_has_no_date_and_follows_the_visitor_s_zone():
    then, now = at("2026-11-27T21:20:00"), at("2026-11-27T23:30:00")
    assert clock(then, now, minutes=0) == "21:20"
    assert clock(then, now, minutes=-60) == "27 Nov 22:20"  # an hour east, where it is the 28th
    assert clock(then, now, minutes=300) == "16:20"


def test_a_time_of_another_day_has_its_date():
    assert clock(at("2026-11-07T21:20:00"), at("2026-11-27T21:20:00"), minutes=0) == "7 Nov 21:20"
