"""Atomic writes, folders with one writer at a time, JSON files, and the cache folder.

A file with its final name is complete, even after a crash or a power failure: it is written under a temporary name,
flushed to the disk (fsync), then renamed. The temporary name contains the process, `.NAME.HOST-PID-START-COUNT.tmp`, so
that the next writer in the folder can remove files of dead processes.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from transclipped.errors import InputError, cause
from transclipped.utils.machine import WINDOWS, exclusive, host, process_alive, process_start

LOCK = "lock"  # lock file of a folder with one writer at a time; contains its process ID
SWEEP = 600.0  # seconds between two searches of a process for leftover files in one folder
_TEMPORARY = re.compile(
    r"\..+\.(?:(?P<host>[0-9a-f]{6})-)?(?P<pid>\d+)(?:-(?P<start>[0-9a-f]{8})-\d+)?\.tmp"  # older: only the PID
)
_counter = itertools.count()
_swept: dict[str, float] = {}  # folder: time of the last search

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def cache_dir() -> Path:
    """Folder of recomputable files: environment variable `TRANSCLIPPED_CACHE`, else ~/.cache/transclipped."""
    return Path(os.environ.get("TRANSCLIPPED_CACHE") or Path.home() / ".cache" / "transclipped")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Temporary path that replaces `path` if the block succeeds; otherwise the old file stays, if any.

    Args:
        durable: also survive a power failure; False for progress and heartbeats, which are soon replaced.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    path = Path(path)
    writer = f"{host()}-{os.getpid()}-{_start(os.getpid())}-{next(_counter)}"
    temporary = path.with_name(f".{path.name}.{writer}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        yield temporary
        if durable:
            to_disk(temporary)
        os.replace(temporary, path)
        if durable and not WINDOWS:
            with suppress(OSError):  # some network disks cannot
                to_disk(path.parent)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"cannot write {path}: {reason}; free some space or choose another folder") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def in_place(path: Path, size: int) -> Iterator[BinaryIO]:
    """File of at least `size` bytes, initially zero, for writing parts; an existing file is not emptied."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666)) as file:
            if os.fstat(file.fileno()).st_size < size:
                file.truncate(size)
            yield file
    except OSError as error:
        raise _write_error(path, error) from error


def _write_error(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror}; free some space or make it writable, then start again")


@contextmanager
def hold(folder: Path, *, wait: float = 0.2) -> Iterator[None]:
    """Be the only writer of `folder` during the block; the system releases the lock of a process that dies.

    A folder that was created for the block and is still empty is removed. `wait` is in seconds: `writer` also holds
    the lock briefly.

    Raises:
        InputError: another process writes there, or the folder cannot be written.
    """
    created = not folder.exists()
    with exclusive(folder / LOCK, wait=wait) as mine:
        if not mine:
            raise InputError(f"{folder} is being written by {_holder(folder)}; wait until it ends, or choose another")
        _write_holder(folder, str(os.getpid()))
        try:
            yield
        finally:
            _write_holder(folder, "")
            if created and [path.name for path in folder.glob("*")] == [LOCK]:
                with suppress(OSError):
                    (folder / LOCK).unlink()
                    folder.rmdir()


def writer(folder: Path) -> str | None:
    """The process that is writing `folder`, in words; None if there is none."""
    if not (folder / LOCK).exists():
        return None
    try:
        with exclusive(folder / LOCK) as free:
            return None if free else _holder(folder)
    except InputError:  # not writable, so without a writer
        return None


def _write_holder(folder: Path, pid: str) -> None:
    with suppress(OSError):  # on a full disk or Windows the lock works without it
        (folder / LOCK).write_text(pid)


def _holder(folder: Path) -> str:
    try:
        return f"process {int((folder / LOCK).read_text())}"
    except (OSError, ValueError):
        return "another process"


def to_disk(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk."""
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Delete temporary files of dead processes, at most once in `SWEEP` seconds."""
    now = time.monotonic()
    if now - _swept.get(str(folder), -SWEEP) < SWEEP:
        return
    _swept[str(folder)] = now
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := _TEMPORARY.fullmatch(entry.name)) and not _writer_lives(match):
                with suppress(OSError):
                    os.unlink(entry.path)


def _writer_lives(name: re.Match[str]) -> bool:
    """Whether the process of a temporary file may still be writing it; on another machine it may."""
    pid = int(name["pid"])
    if name["host"] not in (None, host()):
        return True
    return process_alive(pid) and name["start"] in (None, _start(pid))


def _start(pid: int) -> str:
    """8 hex digits of the start of a process."""
    return hashlib.sha256(str(process_start(pid)).encode()).hexdigest()[:8]


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """JSON file, replaced atomically; `durable` as in `replacing`."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path, durable=durable) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path) -> Any:
    """Content of a JSON file; InputError if it is missing or not JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:  # nested too deeply
        why = error if isinstance(error, json.JSONDecodeError) else cause(error)  # which only contains a position
        raise InputError(f"{path} is not valid JSON ({why}); restore it or delete it") from error


def read_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if the file is missing, damaged, or not an object."""
    try:
        value = read_json(path)
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}


def json_lines(path: Path) -> Iterator[Any]:
    """Values of a file of JSON lines; skips incomplete lines, and is empty if the file cannot be read."""
    with suppress(OSError), Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError):
                yield json.loads(line)


def append_json_line(path: Path, value: Any) -> None:
    """Append a value to a file of JSON lines, and flush it to the disk."""
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _write_error(path, error) from error


def folder_size(path: Path) -> int:
    """Bytes of all files below a folder; 0 if it does not exist."""
    size = 0
    for file in Path(path).rglob("*"):
        with suppress(OSError):  # just deleted
            size += file.stat().st_size if file.is_file() else 0
    return size


def clear_cache() -> int:
    """Delete the cache; returns the bytes freed."""
    freed = folder_size(cache_dir())
    shutil.rmtree(cache_dir(), ignore_errors=True)
    return freed
