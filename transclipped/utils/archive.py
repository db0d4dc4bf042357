"""Zip files from elsewhere, read within bounds: how many files, how many bytes, and by which compression.

A zip can list millions of files in a few bytes each, and name compressions whose dictionary alone takes gigabytes. Both
are seen in its table of contents, before anything is unpacked.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from transclipped.errors import InputError, cause

BLOCK = 1 << 20  # bytes that are in memory at a time
ORDINARY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_END, _END_OF_ZIP64 = b"PK\x05\x06", b"PK\x06\x07"


@contextmanager
def opened(
    file: BinaryIO, *, what: str, remedy: str, most_bytes: int | None, directory: int
) -> Iterator[zipfile.ZipFile]:
    """A zip whose table of contents is short and names files of ordinary compression, within bounds.

    Args:
        what: names the file in messages, which end in `remedy`.
        most_bytes: of all entries together, unpacked; None for any number.
        directory: most bytes of the table of contents.

    Raises:
        InputError: it is no zip, damaged, or out of bounds.
    """
    with _explained(what, remedy):
        _check_directory(file, what, remedy, directory)
        archive = zipfile.ZipFile(file)
    with archive:
        for entry in archive.infolist():
            if entry.compress_type not in ORDINARY or entry.flag_bits & 0x1:
                raise InputError(
                    f"{what} holds a file with a password or of an unusual compression; "
                    f"use ordinary zip compression, or {remedy}"
                )
        if most_bytes is not None and sum(entry.file_size for entry in archive.infolist()) > most_bytes:
            raise InputError(f"{what} unpacks to more than {most_bytes:,} bytes, too many; {remedy}")
        yield archive


def blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, *, what: str, remedy: str) -> Iterator[bytes]:
    """Content of an entry in pieces; zipfile gives no more bytes than the table of contents says.

    Raises:
        InputError: it is damaged.
    """
    with _explained(what, remedy), archive.open(entry) as source:
        while block := source.read(BLOCK):
            yield block


@contextmanager
def _explained(what: str, remedy: str) -> Iterator[None]:
    try:
        yield
    except (InputError, GeneratorExit):
        raise
    except Exception as error:  # zipfile and zlib raise many kinds for one damaged file
        raise InputError(f"{what} is damaged or not a zip ({cause(error)}); {remedy}") from error


def _check_directory(file: BinaryIO, what: str, remedy: str, most: int) -> None:
    """zipfile reads the whole table of contents at once, so its length is looked at first."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    at = tail.rfind(_END)
    file.seek(0)
    if at < 0 or len(tail) < at + 22:
        raise InputError(f"{what} is damaged: it is not a zip, or a part of one; {remedy}")
    if _END_OF_ZIP64 in tail[max(0, at - 20) : at]:
        raise InputError(f"{what} is of the kind for huge files (zip64); {remedy}")
    if int.from_bytes(tail[at + 12 : at + 16], "little") > most:
        raise InputError(f"{what} is a zip of too many files; {remedy}")
