"""A flat or product-code index in a file of faiss, which other programs can search, and its codes read back.

faiss trusts the sizes that a file states. So foreign bytes never reach it: a file is accepted only if it is what faiss
writes of the index that belongs there, in every byte but the number of items and their codes, and codes are copied out.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import faiss
import numpy as np

from transclipped.errors import InputError, cause
from transclipped.utils.files import replacing

ITEMS = slice(8, 16)  # bytes of a file that state the number of items, after four of its kind and four of the width
REMEDY = "save the pipeline again"


def write(index: faiss.IndexFlatCodes, path: Path) -> str:
    """Write an index, atomically; returns the SHA-256 of the file."""
    with replacing(path) as temporary:
        try:
            faiss.write_index(index, str(temporary))
        except RuntimeError as error:  # such as a full disk
            raise InputError(f"cannot write {path} ({cause(error)}); free some space") from error
        return _digest(np.fromfile(temporary, np.uint8))


def read(path: Path, empty: faiss.IndexFlatCodes, *, sha256: str) -> np.ndarray:
    """Codes `[N, bytes]` uint8 of a file that holds the items of an otherwise empty index.

    Raises:
        InputError: the file is missing, changed, or of another index.
    """
    head, tail = _around(empty)
    try:
        content = np.fromfile(path, np.uint8)
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}); {REMEDY}") from error
    n, rest = divmod(len(content) - len(head) - len(tail), empty.code_size)
    if n < 0 or rest or _digest(content) != sha256:
        raise InputError(f"{path} is damaged or of another pipeline; {REMEDY}")
    counted = n * int.from_bytes(head[-8:], "little")  # bytes of all codes, or numbers if they are floats
    head[ITEMS], head[-8:] = n.to_bytes(8, "little"), counted.to_bytes(8, "little")
    end = len(content) - len(tail)
    if content[: len(head)].tobytes() != head or content[end:].tobytes() != tail:
        raise InputError(f"{path} holds another index than its pipeline has; {REMEDY}")
    return content[len(head) : end].reshape(n, empty.code_size)


def _around(empty: faiss.IndexFlatCodes) -> tuple[bytearray, bytes]:
    """What a file of one item holds before and after its code; the last eight bytes before it state its size."""
    index, code = faiss.clone_index(empty), b"\xff" * empty.code_size
    faiss.copy_array_to_vector(np.frombuffer(code, np.uint8), index.codes)
    index.ntotal = 1
    content = bytearray(faiss.serialize_index(index).tobytes())
    at = content.rfind(code)
    return content[:at], bytes(content[at + len(code) :])


def _digest(content: np.ndarray) -> str:
    return hashlib.sha256(content.data).hexdigest()
