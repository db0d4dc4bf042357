"""The one error that is meant for people."""


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is shown as it is, without a traceback, so it names the value or file,
    the rule that it breaks, and what to do about it.
    """


def cause(error: Exception) -> str:
    """Why a file could not be read, without a word of what it holds: parsers quote what they stumble over."""
    return getattr(error, "strerror", None) or type(error).__name__
