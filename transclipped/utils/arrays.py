"""Arrays of an .npz file, allocated only after checking that their headers state the size of their content."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path

import numpy as np

from transclipped.errors import InputError
from transclipped.utils import archive

MAX_DIRECTORY = 10_000  # bytes of the zip's table of contents: ten arrays are 1,000
MAX_HEADER = 4096  # bytes of the header of an array
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_arrays(path: Path, *, remedy: str, most_bytes: int | None = None) -> dict[str, np.ndarray]:
    """All arrays of a file by name; nothing is unpickled.

    Args:
        remedy: what to do about a damaged file, for messages.
        most_bytes: of all arrays together, None for no limit.

    Raises:
        InputError: the file is missing, too large, damaged, or holds anything but plain arrays.
    """
    check_arrays(path, remedy=remedy, most_bytes=most_bytes)
    with archive.readable(f"{path} is damaged", remedy), np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def check_arrays(path: Path, *, remedy: str, most_bytes: int | None = None) -> None:
    """InputError as `load_arrays`, for a file whose headers state other sizes than it holds."""
    if not Path(path).exists():
        raise InputError(f"{path} is missing; {remedy}")
    with (
        archive.readable(f"{path} is damaged", remedy),
        Path(path).open("rb") as file,
        archive.opened(file, what=str(path), remedy=remedy, most_bytes=most_bytes, directory=MAX_DIRECTORY) as zipped,
    ):
        for entry in zipped.infolist():
            if not _is_plain(zipped, entry):
                raise InputError(f"{path} is damaged: it holds something that is not a plain array; {remedy}")


def _is_plain(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether the header of an entry states its size."""
    with zipped.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            return False
        shape, _, dtype = _HEADERS[version](file, max_header_size=MAX_HEADER)
        size = entry.file_size - file.tell()
    return not dtype.hasobject and math.prod(shape) * dtype.itemsize == size
