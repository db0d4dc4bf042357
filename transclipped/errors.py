"""The one error that is meant for people."""

from __future__ import annotations

from typing import Any


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is shown as it is, without a traceback, so it names the value or file,
    the rule that it breaks, and what to do about it.

    Args:
        message: one sentence.
        setting: path of the setting that it is about, such as "schedule.batch", for whoever shows it beside its field.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


def quoted(value: Any) -> str:
    """A value as a message quotes it: at most 100 characters, however long it is."""
    if isinstance(value, int) and value.bit_length() > 80:  # Python refuses to spell those of 4,300 digits
        return f"a whole number of some {round(value.bit_length() * 0.30103):,} digits"
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def cause(error: Exception) -> str:
    """Why a file could not be read, without a word of what it holds: parsers quote what they stumble over."""
    return getattr(error, "strerror", None) or type(error).__name__
