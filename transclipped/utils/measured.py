"""Values measured once and remembered in the cache, a JSON object a file; a lost one is measured again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.utils.files import read_object, write_json

_turn = threading.RLock()  # two measurements at once would slow each other down; one may need another's result


def remembered(path: Path, key: str, measure: Callable[[], Any], *, valid: Callable[[Any], bool]) -> Any:
    """The value of `key`, measured unless the file holds a valid one."""
    with _turn:
        value = read_object(path).get(key)
        if not valid(value):
            value = measure()
            remember(path, key, value)
        return value


def remember(path: Path, key: str, value: Any) -> None:
    """Keep a value beside those that other processes have kept since; a full disk only means measuring it again."""
    with _turn, suppress(InputError):
        write_json(path, read_object(path) | {key: value})
