"""Readable quantities: bytes, seconds, and shares that are no more precise than their counts."""

from __future__ import annotations

FEW = 100  # totals below this are shown as counts: a share's standard error may exceed 0.5 / √100, 5 points


def size(n: int) -> str:
    """Bytes in a suitable unit: 288 bytes, 20 kB, 1.2 MB."""
    if n < 1000:
        return f"{n:,} byte{'s' * (n != 1)}"
    for unit, scale in (("kB", 1e3), ("MB", 1e6)):
        if round(n / scale) < 1000:
            return f"{n / scale:.1f} {unit}" if n < 10 * scale else f"{n / scale:.0f} {unit}"
    return f"{n / 1e9:,.1f} GB"


def duration(seconds: float) -> str:
    """Seconds in a suitable unit: less than a second, 8 s, 3 min, 1 h 20 min."""
    if seconds < 0.95:
        return "less than a second"
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def time_left(seconds: float | None) -> str:
    """Suffix of a progress text: ", 8 s left"; empty while the time is unknown."""
    return "" if seconds is None else f", {duration(seconds)} left"


def share(count: int, total: int) -> str:
    """A share in percent; of fewer than `FEW`, the counts: 3 of 8."""
    return f"{count:,} of {total:,}" if total < FEW else f"{count / total:.0%}"
