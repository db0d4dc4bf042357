"""Lists a folder: its files, what cannot be read and why, and which files are complete images.

Listing takes one system call per file, about a second for 100,000. Links to folders are not followed, so there are no
loops and no path leaves the folder. Complete images are cached with size, time and a hash of their content; next time
only new and changed files are opened. Files that were copied or unpacked again have new times but the same content, so
the set is the same.

System folders such as recycle bins and thumbnails (`SYSTEM`) are skipped and counted.
"""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from transclipped.datasets.images.decode import fault
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, replacing

CHECKERS = min(8, os.cpu_count() or 1)  # threads
BATCH = 64  # files per task of a thread
SLICE = 4096  # files between two writes of the cache
NOT_UTF8 = "its name is not valid UTF-8"
OUTSIDE = "copy it with `cp -rL`, since it is a link out of the folder"
_SYSTEM = (  # folders and files of Synology, QNAP, Windows and macOS, in lower case; others begin with a dot
    "@eadir;#recycle;@recycle;#snapshot;@tmp;$recycle.bin;recycler;system volume information;found.000;lost+found;"
    "__macosx;network trash folder;temporary items;thumbs.db;ehthumbs.db;desktop.ini;icon\r"
)
SYSTEM = frozenset(_SYSTEM.split(";"))
PIECES, PIECE = 64, 16 << 10  # number and bytes of the parts of a large file that are hashed
UNPACKED = (b"BM", b"II", b"MM", b"P")  # first bytes of BMP, TIFF and PPM, where editing may change only a few bytes


class FileEntry(NamedTuple):
    """A file below the folder; `digest` is 16 hex digits of its content, "" before it is opened."""

    id: str
    size: int  # bytes
    mtime_ns: int
    digest: str = ""


def scan(root: Path, *, ignore: set[Path] = frozenset()) -> tuple[list[FileEntry], list[tuple[str, str]]]:
    """Files below `root`, sorted by id, and (id, reason) of what is skipped.

    Hidden files and those to `ignore` are skipped silently, `SYSTEM` with one reason for all; links in both arguments
    are resolved.
    """
    files: list[FileEntry] = []
    skipped: list[tuple[str, str]] = []
    folders = [("", str(root))]
    ignored = {str(path) for path in ignore}
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
                reason = _add(entry, name, str(root), ignored, files, folders)
            except OSError as error:
                reason = _why(error)
            if reason:
                skipped.append((os.fsencode(name).decode(errors="backslashreplace"), reason))
    if system:
        skipped.append((min(system), _system_reason(root, system)))
    return sorted(files), skipped


def whole(root: Path, files: list[FileEntry]) -> tuple[list[FileEntry], list[tuple[str, str]]]:
    """Complete images with their digests, and (id, reason) of the other files.

    The cache is written after each slice, so that an interruption loses little.
    """
    cached = _read_cache(root)
    good = [file._replace(digest=cached[file[:3]]) for file in files if file[:3] in cached]
    fresh = [file for file in files if file[:3] not in cached]
    damaged: list[tuple[str, str]] = []

    with ThreadPoolExecutor(CHECKERS) as pool:
        for start in range(0, len(fresh), SLICE):
            part, before = fresh[start : start + SLICE], len(good)
            batches = [part[i : i + BATCH] for i in range(0, len(part), BATCH)]
            results = chain.from_iterable(pool.map(lambda batch: [_examine(root / file.id) for file in batch], batches))
            for file, (reason, content) in zip(part, results, strict=True):
                if reason is None:
                    good.append(file._replace(digest=content))
                else:
                    damaged.append((file.id, reason))
            if len(good) > before:
                _write_cache(root, sorted(good))
    return sorted(good), damaged


def n_files(root: Path, *, most: int) -> int:
    """Number of visible files and folders below `root`; counting stops above `most`."""
    n = 0
    for _, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        n += len(folders) + len(files)
        if n > most:
            break
    return n


def n_cached_images(root: Path) -> int:
    """Number of complete images below `root` in the cache."""
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(_cache_file(root)).num_rows
    except (OSError, ValueError):
        return 0


def signature(files: list[FileEntry]) -> bytes:
    """Differs if files were added, removed or changed (by content, or by time if not opened yet)."""
    return "".join(f"{f.id}\0{f.size}\0{f.digest or f.mtime_ns}\0" for f in files).encode()


def digest(path: Path) -> str:
    """16 hex digits of a file's content.

    Of compressed files above 1 MiB only evenly spaced parts of 1 MiB in total are read: editing such an image encodes
    it again, which changes all of it.
    """
    result = hashlib.blake2b(digest_size=8)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        result.update(str(size).encode())
        if size <= PIECES * PIECE or file.read(2).startswith(UNPACKED):
            file.seek(0)
            while block := file.read(1 << 20):
                result.update(block)
        else:
            for i in range(PIECES):
                file.seek(i * (size - PIECE) // (PIECES - 1))
                result.update(file.read(PIECE))
    return result.hexdigest()


def _examine(path: Path) -> tuple[str | None, str]:
    """(reason, "") for a file that cannot be used, else (None, digest)."""
    if reason := fault(path):
        return reason, ""
    try:
        return None, digest(path)
    except OSError as error:
        return _why(error), ""


def _system_reason(root: Path, system: list[str]) -> str:
    """How many files are in system folders, or are system files."""
    files = sum(len(names) for name in system for _, _, names in os.walk(root / name))
    files += sum(1 for name in system if not (root / name).is_dir())
    others = f" and {len(system) - 1:,} others like it" if len(system) > 1 else ""
    return f"{files:,} system files, here{others}: recycle bins, thumbnails and the like are skipped"


def _add(
    entry: os.DirEntry, name: str, root: str, ignored: set[str], files: list[FileEntry], folders: list[tuple[str, str]]
) -> str | None:
    """Add an entry to the files or the folders, or return the reason why not."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return NOT_UTF8
    linked = entry.is_symlink() or getattr(entry, "is_junction", lambda: False)()  # Windows, from Python 3.12
    if entry.is_dir():
        if linked:
            return "a link to a folder, which is not followed"
        folders.append((name + "/", entry.path))
        return None
    real = os.path.realpath(entry.path) if linked else entry.path
    info = entry.stat()  # of the target, for a link
    if real in ignored:
        return None
    if linked and not Path(real).is_relative_to(root):
        return OUTSIDE
    if not stat.S_ISREG(info.st_mode):
        return "not a regular file"  # opening a pipe could block forever
    if not info.st_size:
        return "it is empty"
    files.append(FileEntry(name, info.st_size, info.st_mtime_ns))
    return None


def _cache_file(root: Path) -> Path:
    key = hashlib.sha256(str(root).encode(errors="surrogateescape")).hexdigest()[:16]
    return cache_dir() / "listings" / f"{key}.parquet"


def _read_cache(root: Path) -> dict[tuple[str, int, int], str]:
    """Digests of complete images by id, size and time; empty without a cache."""
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(_cache_file(root)).to_pydict()
        keys = zip(table["id"], table["size"], table["mtime_ns"], strict=True)
        return dict(zip(keys, table["digest"], strict=True))
    except (OSError, ValueError, KeyError):
        return {}


def _write_cache(root: Path, files: list[FileEntry]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids, sizes, times, digests = zip(*files, strict=True)
    with suppress(InputError), replacing(_cache_file(root), durable=False) as temporary:  # works without a cache too
        pq.write_table(pa.table({"id": ids, "size": sizes, "mtime_ns": times, "digest": digests}), temporary)


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
