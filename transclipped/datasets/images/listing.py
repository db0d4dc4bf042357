"""What lies below a folder: files, what cannot be looked at and why, and which files are whole images.

Listing costs one system call a file, so 100,000 files take about a second. Links to folders are not followed,
so nothing loops, and no path leaves the folder. Which files were whole images is remembered in the cache with
their size, time and a hash of their content; the next time, only new and changed ones are opened. Files that were
copied or unpacked again have new times but the same content, so the set of them is the same.

Bins, thumbnails and other folders that systems leave among images (`SYSTEM`) are passed over and counted.
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

from transclipped.datasets.images.decode import fault
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, replacing

CHECKERS = min(8, os.cpu_count() or 1)  # threads
BATCH = 64  # files that a thread looks at before it asks for more
SLICE = 4096  # files that are looked at before what is known of them is kept
NOT_UTF8 = "its name is not valid UTF-8"
OUTSIDE = "copy with `cp -rL`, since it is a link out of the folder"
SYSTEM = frozenset(  # folders and files of Synology, QNAP, Windows and macOS, in lower case; others begin with a dot
    (
        "@eadir",
        "#recycle",
        "@recycle",
        "#snapshot",
        "@tmp",
        "$recycle.bin",
        "recycler",
        "system volume information",
        "found.000",
        "lost+found",
        "__macosx",
        "network trash folder",
        "temporary items",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    )
)
PIECES, PIECE = 64, 16 << 10  # parts of a large file, and their bytes, that stand for all of it
UNPACKED = (b"BM", b"II", b"MM", b"P")  # first bytes of BMP, TIFF and PPM, where a retouch changes a few bytes alone


class Found(NamedTuple):
    """A file below the folder, by its id, and what tells whether it changed.

    digest: 16 hex digits of its content; "" for one that was not opened yet.
    """

    id: str
    size: int  # bytes
    mtime_ns: int
    digest: str = ""


def scan(root: Path, *, apart: set[Path] = frozenset()) -> tuple[list[Found], list[tuple[str, str]]]:
    """Files below `root`, sorted by id, and (id, reason) of what is not looked at.

    Hidden files and those `apart` are passed over silently, `SYSTEM` folders and files in one sentence.

    Args:
        root: links resolved.
        apart: paths, links resolved.
    """
    found: list[Found] = []
    skipped: list[tuple[str, str]] = []
    folders = [("", str(root))]
    unwanted = {str(path) for path in apart}
    system: list[str] = []
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
            if entry.name.casefold() in SYSTEM:
                system.append(name)
                continue
            try:
                reason = _look(entry, name, str(root), unwanted, found, folders)
            except OSError as error:
                reason = _why(error)
            if reason:
                skipped.append((os.fsencode(name).decode(errors="backslashreplace"), reason))
    if system:
        skipped.append((min(system), _passed_over(root, system)))
    return sorted(found), skipped


def whole(root: Path, found: list[Found]) -> tuple[list[Found], list[tuple[str, str]]]:
    """Those that are whole images, with the digest of each, and (id, reason) of the others.

    What is known so far is kept after each part, so that an end in between loses little.
    """
    known = _remembered(root)
    good = [file._replace(digest=known[file[:3]]) for file in found if file[:3] in known]
    fresh = [file for file in found if file[:3] not in known]
    damaged: list[tuple[str, str]] = []

    def look(batch: tuple[Found, ...]) -> list[tuple[str | None, str]]:
        return [_examined(root / file.id) for file in batch]

    with ThreadPoolExecutor(CHECKERS) as pool:
        for start in range(0, len(fresh), SLICE):
            part, before = fresh[start : start + SLICE], len(good)
            results = chain.from_iterable(pool.map(look, _batches(part)))
            for file, (reason, content) in zip(part, results, strict=True):
                if reason is None:
                    good.append(file._replace(digest=content))
                else:
                    damaged.append((file.id, reason))
            if len(good) > before:
                _remember(root, sorted(good))
    return sorted(good), damaged


def n_files(root: Path, *, most: int) -> int:
    """How many files and folders lie below `root`, hidden ones aside; counting ends beyond `most`."""
    n = 0
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        n += len(folders) + len(files)
        if n > most:
            break
    return n


def n_remembered(root: Path) -> int:
    """How many whole images are known below `root` from an earlier look."""
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(_memory(root)).num_rows
    except (OSError, ValueError):
        return 0


def signature(found: list[Found]) -> bytes:
    """What changes when a file comes, goes, or its content changes; or its time, of files not opened yet."""
    return "".join(f"{f.id}\0{f.size}\0{f.digest or f.mtime_ns}\0" for f in found).encode()


def digest(path: Path) -> str:
    """16 hex digits of a file's content.

    Of compressed files above a megabyte only evenly spread parts of a megabyte together are read: whoever changes
    such an image encodes it again, and all of it differs.
    """
    found = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        found.update(str(size).encode())
        if size <= PIECES * PIECE or file.read(2).startswith(UNPACKED):
            file.seek(0)
            while block := file.read(1 << 20):
                found.update(block)
        else:
            for i in range(PIECES):
                file.seek(i * (size - PIECE) // (PIECES - 1))
                found.update(file.read(PIECE))
    return found.hexdigest()


def _examined(path: Path) -> tuple[str | None, str]:
    """Why a file cannot be used, if so, else its digest."""
    reason = fault(path)
    if reason is not None:
        return reason, ""
    try:
        return None, digest(path)
    except OSError as error:
        return _why(error), ""


def _passed_over(root: Path, system: list[str]) -> str:
    """How many files system folders and files are."""
    files = sum(len(names) for name in system for _, _, names in os.walk(root / name))
    files += sum(1 for name in system if not (root / name).is_dir())
    others = f" and {len(system) - 1:,} others like it" if len(system) > 1 else ""
    return f"{files:,} files of the system, here{others}: bins, thumbnails and the like are passed over"


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
        return OUTSIDE
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


def _remembered(root: Path) -> dict[tuple[str, int, int], str]:
    """Digest of each file, by id, size and time, that was whole the last time; empty where nothing is known."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(_memory(root)).to_pydict()
        keys = zip(table["id"], table["size"], table["mtime_ns"], strict=True)
        return dict(zip(keys, table["digest"], strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def _remember(root: Path, found: list[Found]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids, sizes, times, digests = zip(*found, strict=True)
    path = _memory(root)
    with suppress(InputError), replacing(path, durable=False) as temporary:  # a full disk only costs the memory
        pq.write_table(pa.table({"id": ids, "size": sizes, "mtime_ns": times, "digest": digests}), temporary)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
