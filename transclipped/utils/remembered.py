"""Values that are kept in the cache as a JSON object, such as the fastest batch size; a lost one is computed again."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.utils.files import read_json, write_json


def remembered(path: Path) -> dict[str, Any]:
    """Values by key; none where the file is missing or damaged."""
    try:
        values = read_json(path)
    except InputError:
        return {}
    return values if isinstance(values, dict) else {}


def remember(path: Path, key: str, value: Any) -> None:
    """Keep a value beside those that other processes have kept since; a full disk only means computing it again."""
    with suppress(InputError):
        write_json(path, remembered(path) | {key: value})
