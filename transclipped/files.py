"""Files that are either whole or not there, and where caches live."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError, cause

ASSETS = Path(__file__).resolve().parents[1] / "assets"


def cache_dir() -> Path:
    """Folder of recomputable files: variable `TRANSCLIPPED_CACHE`, else ~/.cache/transclipped."""
    return Path(os.environ.get("TRANSCLIPPED_CACHE") or Path.home() / ".cache" / "transclipped")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Temporary path beside `path` that takes its place if the block succeeds.

    Killed or failing in between leaves the old file, or none; never half of a new one.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """JSON file, replaced atomically."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Content of a JSON file.

    Raises:
        InputError: it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # nested too deeply
        why = error if isinstance(error, json.JSONDecodeError) else cause(error)  # the former tells a place alone
        raise InputError(f"{path} is not valid JSON ({why}); restore it or delete it") from error


def json_lines(path: Path) -> Iterator[Any]:
    """Values of a file of JSON lines; torn ones are passed over, and a file that cannot be read has none."""
    with suppress(OSError), Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError):
                yield json.loads(line)


def append_json_line(path: Path, value: Any) -> None:
    """Add a value to a file of JSON lines.

    Raises:
        InputError: the disk is full, or the folder is missing or cannot be written.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; free some space, then start again") from error


def folder_size(path: Path) -> int:
    """Bytes in all files below a folder, 0 if it does not exist."""
    return sum(p.stat().st_size for p in Path(path).rglob("*") if p.is_file())


def clear_cache() -> int:
    """Delete everything recomputable; returns the bytes freed."""
    freed = folder_size(cache_dir())
    shutil.rmtree(cache_dir(), ignore_errors=True)
    return freed
