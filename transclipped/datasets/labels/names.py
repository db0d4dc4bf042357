"""Finds the image of a name, which files spell in several ways.

A name that equals an id is that image. Otherwise it is compared in composed Unicode form (macOS writes é as two
characters, others as one) and with forward slashes instead of those of Windows. With `loosely`, a path of another
machine, a bare file name and a name without its suffix match too, unless they fit two images.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cached_property
from pathlib import PurePosixPath


class Names:
    """Rows by the names of their images; `ids` of all rows, in order."""

    def __init__(self, ids: Iterable[object]) -> None:
        self._exact = {str(name): row for row, name in enumerate(ids)}

    def find(self, name: object, *, loosely: bool = False) -> int | None:
        """Row of a name; None if no image, or more than one, has it."""
        text = str(name)
        if text in self._exact:
            return self._exact[text]
        if (key := composed(text)) in self._composed:
            return self._composed[key]
        key = key.replace("\\", "/").removeprefix("./")
        if key in self._composed or not loosely:
            return self._composed.get(key)
        return self._below(key)

    @cached_property
    def _composed(self) -> dict[str, int]:
        return _unambiguous((composed(name), row) for name, row in self._exact.items())

    @cached_property
    def _loose(self) -> dict[str, int]:
        paths = ((PurePosixPath(name), row) for name, row in self._composed.items())
        return _unambiguous((short, row) for path, row in paths for short in (path.name, path.stem))

    def _below(self, key: str) -> int | None:
        if "/" not in key:
            return self._loose.get(key)
        parts = key.split("/")
        ends = ("/".join(parts[start:]) for start in range(1, len(parts)))
        return next((self._composed[end] for end in ends if end in self._composed), None)


def composed(name: object) -> str:
    """A name in composed Unicode form."""
    return unicodedata.normalize("NFC", str(name))


def _unambiguous(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    rows: dict[str, int] = {}
    twice = set()
    for key, row in pairs:
        if rows.setdefault(key, row) != row:
            twice.add(key)
    return {key: row for key, row in rows.items() if key not in twice}
