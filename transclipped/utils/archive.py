"""Untrusted zip files, read within limits on the number of files, bytes and kinds of compression.

A zip can list millions of files in a few bytes each, and use compressions whose dictionary alone takes gigabytes. Both
are visible in its table of contents, before anything is unpacked.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from transclipped.errors import InputError, cause

BLOCK = 1 << 20  # bytes in memory at a time
ORDINARY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END, _END_OF_ZIP64 = b"PK\x05\x06", b"PK\x06\x07"


@contextmanager
def opened(
    file: BinaryIO, *, what: str, remedy: str, most_bytes: int | None, directory: int
) -> Iterator[zipfile.ZipFile]:
    """A zip with a short table of contents and ordinary compression, within limits.

    Args:
        what: names the file in messages, which end in `remedy`.
        most_bytes: of all entries together, unpacked; None for no limit.
        directory: most bytes of the table of contents.

    Raises:
        InputError: it is not a zip, damaged, or beyond a limit.
    """
    with readable(f"{what} is damaged or not a zip", remedy):
        _check_directory(file, what, remedy, directory)
        archive = zipfile.ZipFile(file)
    with archive:
        for entry in archive.infolist():
            if entry.compress_type not in ORDINARY or entry.flag_bits & 0x1:
                problem = f"{what} holds a file with a password or an unusual compression"
                raise InputError(f"{problem}; use ordinary zip compression, or {remedy}")
        if most_bytes is not None and sum(entry.file_size for entry in archive.infolist()) > most_bytes:
            raise InputError(f"{what} unpacks to more than {most_bytes:,} bytes, too many; {remedy}")
        yield archive


def blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, what: str, remedy: str) -> Iterator[bytes]:
    """Content of an entry in pieces; zipfile returns no more bytes than the table of contents states."""
    with readable(f"{what} is damaged or not a zip", remedy), archive.open(entry) as source:
        while block := source.read(BLOCK):
            yield block


@contextmanager
def readable(problem: str, remedy: str) -> Iterator[None]:
    """Turn any error of the block, as of a damaged file, into an InputError of `problem`, cause and `remedy`."""
    try:
        yield
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # zipfile, numpy and pyarrow raise many kinds
        raise InputError(f"{problem} ({cause(error)}); {remedy}") from error


def _check_directory(file: BinaryIO, what: str, remedy: str, most: int) -> None:
    """zipfile reads the whole table of contents at once, so its length is checked first."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(_END)
    file.seek(0)
    if at < 0 or len(tail) < at + 22:
        raise InputError(f"{what} is damaged: it is not a zip, or incomplete; {remedy}")
    if _END_OF_ZIP64 in tail[max(0, at - 20) : at]:
        raise InputError(f"{what} is a zip64, for huge files; {remedy}")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > most:
        raise InputError(f"{what} is a zip of too many files; {remedy}")
