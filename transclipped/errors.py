"""The one error that is meant for people."""


class InputError(ValueError):
    """Something that a person gave cannot be used.

    The message is shown as it is, without a traceback, so it names the value or file,
    the rule that it breaks, and what to do about it.
    """
