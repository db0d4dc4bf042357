"""Files that are either whole or not there, folders with one writer at a time, and where caches live.

A file under its final name is complete, also after a crash or a power cut: it is written beside, brought to the disk
(fsync), then renamed. A temporary file names its process, `.NAME.HOST-PID-START-COUNT.tmp`, so that the next writer in
the folder can remove those of dead ones.
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

LOCK = "lock"  # in a folder with one writer at a time: held by it, and holds its process number
SWEEP = 600.0  # seconds between two looks of a process for leftovers in one folder
_TEMPORARY = re.compile(
    r"\..+\.(?:(?P<host>[0-9a-f]{6})-)?(?P<pid>\d+)(?:-(?P<start>[0-9a-f]{8})-\d+)?\.tmp"  # older versions: PID alone
)
_counter = itertools.count()
_swept: dict[str, float] = {}  # folder, and when it was last looked through

ASSETS = Path(__file__).resolve().parents[2] / "assets"


def cache_dir() -> Path:
    """Folder of recomputable files: variable `TRANSCLIPPED_CACHE`, else ~/.cache/transclipped."""
    return Path(os.environ.get("TRANSCLIPPED_CACHE") or Path.home() / ".cache" / "transclipped")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Temporary path beside `path` that takes its place if the block succeeds.

    Killed or failing in between leaves the old file, or none; never half of a new one.

    Args:
        durable: survive a power cut too; False for progress and heartbeats, which the next one replaces.

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
        if durable:
            _folder_to_disk(path.parent)
    except OSError as error:
        raise InputError(
            f"cannot write {path}: {error.strerror or error}; free some space or choose another folder"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def in_place(path: Path, size: int) -> Iterator[BinaryIO]:
    """File of at least `size` bytes to write parts of; what was never written is zero.

    An existing file is not emptied, so processes that write different parts, or the same bytes, need no lock.

    Raises:
        InputError: the disk is full or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "r+b", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o666)) as file:
            if os.fstat(file.fileno()).st_size < size:
                file.truncate(size)
            yield file
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; free some space, then start again") from error


@contextmanager
def hold(folder: Path, *, wait: float = 0.2) -> Iterator[None]:
    """Be the only writer of `folder` during the block; the system ends the hold of a process that dies.

    A folder that was made for the block, and into which nothing was written, is removed.

    Args:
        wait: seconds; `writer` holds the lock for an instant, too.

    Raises:
        InputError: another process writes there, or the folder cannot be written.
    """
    made = not folder.exists()
    with exclusive(folder / LOCK, wait=wait) as mine:
        if not mine:
            raise InputError(f"{folder} is being written by {_holder(folder)}; wait until it ends, or choose another")
        _sign(folder, str(os.getpid()))
        try:
            yield
        finally:
            _sign(folder, "")
            if made and [path.name for path in folder.glob("*")] == [LOCK]:
                with suppress(OSError):
                    (folder / LOCK).unlink()
                    folder.rmdir()


def writer(folder: Path) -> str | None:
    """Who holds `folder`, in words; None if no process does."""
    if not (folder / LOCK).exists():
        return None
    try:
        with exclusive(folder / LOCK) as free:
            return None if free else _holder(folder)
    except InputError:  # a folder that cannot be written has no writer
        return None


def _sign(folder: Path, pid: str) -> None:
    with suppress(OSError):  # the lock holds without it, on a full disk or under Windows
        (folder / LOCK).write_text(pid)


def _holder(folder: Path) -> str:
    try:
        return f"process {int((folder / LOCK).read_text())}"
    except (OSError, ValueError):
        return "another process"


def to_disk(path: Path) -> None:
    """Return when a file's bytes are on the disk."""
    handle = os.open(path, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _folder_to_disk(folder: Path) -> None:
    """The names in a folder; Windows, and some network disks, do that by themselves or not at all."""
    if not WINDOWS:
        with suppress(OSError):
            to_disk(folder)


def _sweep(folder: Path) -> None:
    """Delete temporary files of dead processes, if this process has not looked lately."""
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
    """Whether the process that a temporary file names may still write it; those of other machines may."""
    pid = int(name["pid"])
    if name["host"] not in (None, host()):
        return True
    return process_alive(pid) and name["start"] in (None, _start(pid))


def _start(pid: int) -> str:
    """8 hex digits of when a process began."""
    return hashlib.sha256(str(process_start(pid)).encode()).hexdigest()[:8]


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """JSON file, replaced atomically; `durable` as in `replacing`."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with replacing(path, durable=durable) as temporary:
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
        why = error if isinstance(error, json.JSONDecodeError) else cause(error)  # the former names a position only
        raise InputError(f"{path} is not valid JSON ({why}); restore it or delete it") from error


def read_object(path: Path) -> dict[str, Any]:
    """Content of a JSON file that holds an object; none where it is missing, damaged, or holds something else."""
    try:
        value = read_json(path)
    except InputError:
        return {}
    return value if isinstance(value, dict) else {}


def json_lines(path: Path) -> Iterator[Any]:
    """Values of a file of JSON lines; torn ones are passed over, and a file that cannot be read has none."""
    with suppress(OSError), Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with suppress(ValueError):
                yield json.loads(line)


def append_json_line(path: Path, value: Any) -> None:
    """Add a value to a file of JSON lines, and bring it to the disk.

    Raises:
        InputError: the disk is full, or the folder is missing or cannot be written.
    """
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(value) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; free some space, then start again") from error


def folder_size(path: Path) -> int:
    """Bytes in all files below a folder, 0 if it does not exist."""
    size = 0
    for file in Path(path).rglob("*"):
        with suppress(OSError):  # deleted just now
            size += file.stat().st_size if file.is_file() else 0
    return size


def clear_cache() -> int:
    """Delete everything recomputable; returns the bytes freed."""
    freed = folder_size(cache_dir())
    shutil.rmtree(cache_dir(), ignore_errors=True)
    return freed
