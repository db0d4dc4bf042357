"""The error whose message is shown to users."""

from typing import Any


class InputError(ValueError):
    """Input that cannot be used.

    The app and the command line show the message without a traceback, so it names the value or file, the rule that it
    breaks, and what to do about it.

    Args:
        message: one sentence.
        setting: path of the setting in question, such as "schedule.batch"; forms show the message beside its field.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting


def quoted(value: Any) -> str:
    """A value for a message, in at most 100 characters."""
    if isinstance(value, int) and value.bit_length() > 80:  # Python refuses to print more than 4,300 digits
        return f"a whole number of some {round(value.bit_length() * 0.30103):,} digits"
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:97]}…"


def cause(error: Exception) -> str:
    """Why a file could not be read, without its content, which messages of parsers quote."""
    return getattr(error, "strerror", None) or type(error).__name__
