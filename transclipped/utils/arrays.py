"""Arrays of an .npz file, each made only after its header is known to announce as many bytes as the file holds."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from transclipped.errors import InputError, cause
from transclipped.utils import archive

MAX_DIRECTORY = 10_000  # bytes of the zip's table of contents: ten arrays are 1,000
MAX_HEADER = 4096  # bytes that the header of an array may take
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def load_arrays(path: Path, *, remedy: str, most_bytes: int | None = None) -> dict[str, np.ndarray]:
    """All arrays of a file by name; nothing is unpickled.

    Args:
        remedy: what to do about a damaged file, for messages.
        most_bytes: of all arrays together, None for any number.

    Raises:
        InputError: the file is missing, too large, damaged, or holds something else than plain arrays.
    """
    check_arrays(path, remedy=remedy, most_bytes=most_bytes)
    with _explained(path, remedy), np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def check_arrays(path: Path, *, remedy: str, most_bytes: int | None = None) -> None:
    """Refuse a file whose arrays' headers announce other sizes than it holds.

    Raises:
        InputError: as `load_arrays`.
    """
    if not Path(path).exists():
        raise InputError(f"{path} is missing; {remedy}")
    with (
        _explained(path, remedy),
        Path(path).open("rb") as file,
        archive.opened(file, what=str(path), remedy=remedy, most_bytes=most_bytes, directory=MAX_DIRECTORY) as zipped,
    ):
        for entry in zipped.infolist():
            if not _is_plain(zipped, entry):
                raise InputError(f"{path} is damaged: it holds something that is not a plain array; {remedy}")


@contextmanager
def _explained(path: Path, remedy: str) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for one damaged file
        raise InputError(f"{path} is damaged ({cause(error)}); {remedy}") from error


def _is_plain(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether an entry's header announces as many numbers as the entry holds."""
    with zipped.open(entry) as file:
        version = np.lib.format.read_magic(file)
        if version not in _HEADERS:
            return False
        shape, _, dtype = _HEADERS[version](file, max_header_size=MAX_HEADER)
        size = entry.file_size - file.tell()
    return not dtype.hasobject and math.prod(shape) * dtype.itemsize == size
