"""Helpers of the tests of search."""

from transclipped.cli import main


def refused(capsys, *argv):
    """The message of a command that is refused in one line."""
    capsys.readouterr()
    assert main([*map(str, argv)]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("transclipped: ") and "Traceback" not in message
    return message
