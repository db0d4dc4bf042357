"""Values measured once and cached as JSON objects; missing ones are measured again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.utils.files import read_object, write_json

_lock = threading.RLock()  # simultaneous measurements would slow each other down; one may need another


def remembered(path: Path, key: str, measure: Callable[[], Any], *, valid: Callable[[Any], bool]) -> Any:
    """The cached value of `key`, or else a new measurement."""
    with _lock:
        value = read_object(path).get(key)
        if not valid(value):
            value = measure()
            remember(path, key, value)
        return value


def remember(path: Path, key: str, value: Any) -> None:
    """Add a value to the file, which other processes may have changed; if the disk is full, it is not cached."""
    with _lock, suppress(InputError):
        write_json(path, read_object(path) | {key: value})
