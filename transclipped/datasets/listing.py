"""What lies below a folder: files, what cannot be looked at and why, and which files are whole pictures.

Listing costs one system call a file, so 100,000 files take about a second. Links to folders are not followed,
so nothing loops, and no path leaves the folder. Which files were whole pictures is remembered in the cache with
their size and time; the next time, only new and changed ones are opened.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from transclipped.datasets.pictures import fault
from transclipped.errors import InputError
from transclipped.files import cache_dir, replacing

CHECKERS = min(8, os.cpu_count() or 1)  # threads
BATCH = 64  # files that a thread looks at before it asks for more
NOT_UTF8 = "its name is not valid UTF-8"


class Found(NamedTuple):
    """A file below the folder, by its id, and what tells whether it changed."""

    id: str
    size: int  # bytes
    mtime_ns: int


def scan(root: Path, *, apart: set[Path] = frozenset()) -> tuple[list[Found], list[tuple[str, str]]]:
    """Files below `root`, sorted by id, and (id, reason) of what is not looked at.

    Hidden files and those `apart` are passed over silently.

    Args:
        root: links resolved.
        apart: paths, links resolved.
    """
    found: list[Found] = []
    skipped: list[tuple[str, str]] = []
    folders = [("", str(root))]
    unwanted = {str(path) for path in apart}
    while folders:
        below, path = folders.pop()
        try:
            with os.scandir(path) as entries:
                visible = [entry for entry in entries if not entry.name.startswith(".")]
        except OSError as error:
            skipped.append((below.rstrip("/") or ".", f"this folder cannot be read: {_why(error)}"))
            continue
        for entry in visible:
            name = below + entry.name
            try:
                reason = _look(entry, name, str(root), unwanted, found, folders)
            except OSError as error:
                reason = _why(error)
            if reason:
                skipped.append((os.fsencode(name).decode(errors="backslashreplace"), reason))
    return sorted(found), skipped


def whole(root: Path, found: list[Found]) -> tuple[list[Found], list[tuple[str, str]]]:
    """Those that are whole pictures, and (id, reason) of the others."""
    known = _remembered(root)
    fresh = [file for file in found if known.get(file.id) != (file.size, file.mtime_ns)]
    with ThreadPoolExecutor(CHECKERS) as pool:
        batches = pool.map(lambda batch: [fault(root / file.id) for file in batch], _batches(fresh))
        reasons = dict(zip((file.id for file in fresh), chain.from_iterable(batches), strict=True))
    damaged = [(name, reason) for name, reason in reasons.items() if reason is not None]
    good = [file for file in found if reasons.get(file.id) is None]
    if len(damaged) < len(fresh):
        _remember(root, good)
    return good, damaged


def signature(found: list[Found]) -> bytes:
    """What changes when a file comes, goes, or is written to."""
    return "".join(f"{f.id}\0{f.size}\0{f.mtime_ns}\0" for f in found).encode()


def _look(
    entry: os.DirEntry, name: str, root: str, unwanted: set[str], found: list[Found], folders: list[tuple[str, str]]
) -> str | None:
    """Put an entry among the files or the folders, or tell why not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    linked = entry.is_symlink() or _junction(entry)
    if entry.is_dir():
        if linked:
            return "a link to a folder, which is not followed"
        folders.append((name + "/", entry.path))
        return None
    real = os.path.realpath(entry.path) if linked else entry.path
    info = entry.stat()  # of the target, for a link
    if real in unwanted:
        return None
    if linked and not Path(real).is_relative_to(root):
        return "a link that leaves the folder"
    if not stat.S_ISREG(info.st_mode):
        return "not a regular file"  # opening a pipe would wait forever
    if not info.st_size:
        return "it is empty"
    found.append(Found(name, info.st_size, info.st_mtime_ns))
    return None


def _junction(entry: os.DirEntry) -> bool:
    """Windows' other kind of link, which Python knows from 3.12 on."""
    known: Callable[[], bool] | None = getattr(entry, "is_junction", None)
    return known is not None and known()


def _batches(found: list[Found]) -> list[tuple[Found, ...]]:
    return [tuple(found[start : start + BATCH]) for start in range(0, len(found), BATCH)]


def _memory(root: Path) -> Path:
    key = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_dir() / "listings" / f"{key}.parquet"


def _remembered(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of each file that was whole the last time; empty where nothing is known."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(_memory(root)).to_pydict()
        return dict(zip(table["id"], zip(table["size"], table["mtime_ns"], strict=True), strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def _remember(root: Path, found: list[Found]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids, sizes, times = zip(*found, strict=True)
    path = _memory(root)
    with suppress(InputError), replacing(path, durable=False) as temporary:  # a full disk only costs the memory
        pq.write_table(pa.table({"id": ids, "size": sizes, "mtime_ns": times}), temporary)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
