"""Reads the header of a safetensors file, before any tensor is allocated and without torch.

A file is eight bytes with the length of the header, the header (JSON), then the numbers. The header of a hostile file
can claim a tensor of 2³³ columns and no rows, or 2⁶² numbers in an empty file, so every shape must match its bytes.
Format: github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transclipped.errors import InputError

MAX_HEADER = 4_000_000  # bytes; a large network with its optimizer's state has 400,000
MAX_AXES = 8
BLOCK = 1 << 22  # bytes
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64, "C64": 64,
}  # pairs of a table  # fmt: skip
FLOATS = ("F16", "BF16", "F32", "F64")


class Entry(NamedTuple):
    """A tensor of a file: its type, shape, and the offset of its first byte."""

    dtype: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * BITS[self.dtype] // 8

    def is_finite(self, path: Path) -> bool:
        """Whether no number of this floating-point tensor is NaN or infinite; reads it in blocks."""
        with path.open("rb") as file:
            file.seek(self.start)
            for done in range(0, self.size, BLOCK):
                block = file.read(min(BLOCK, self.size - done))
                if self.dtype == "BF16":  # the upper half of a float32
                    finite = np.frombuffer(block, "<u2") & 0x7F80 != 0x7F80
                else:
                    finite = np.isfinite(np.frombuffer(block, f"<f{BITS[self.dtype] // 8}"))
                if not finite.all():
                    return False
        return True


def read_header(path: Path) -> dict[str, Entry]:
    """Tensors of a safetensors file by name; InputError if it is missing or its header is damaged."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"weights file {path} does not exist")
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > MAX_HEADER:
                raise ValueError(f"its header would have {length:,} bytes")
            header = json.loads(file.read(length).decode("utf-8"))
        data = 8 + length
        return _entries(header, start=data, size=path.stat().st_size - data)
    except (OSError, ValueError, RecursionError) as error:  # UnicodeError and JSONDecodeError are ValueErrors
        reason = (getattr(error, "strerror", None) or str(error) or "nested too deeply")[:200]
        raise InputError(f"{path} is damaged or not a file of plain tensors ({reason}); get a new copy") from error


def _entries(header: Any, *, start: int, size: int) -> dict[str, Entry]:
    if not isinstance(header, dict):
        raise ValueError("its header is not a table")
    header.pop("__metadata__", None)
    entries, total = {}, 0
    for number, (name, facts) in enumerate(header.items(), 1):  # errors do not quote names, which may be hostile
        facts = facts if isinstance(facts, dict) else {}
        dtype, shape, span = facts.get("dtype"), facts.get("shape"), facts.get("data_offsets")
        typed = isinstance(dtype, str) and dtype in BITS
        if not typed or not _naturals(shape) or not _naturals(span) or len(span) != 2:
            raise ValueError(f"entry {number} of its header describes no tensor")
        entry = Entry(dtype, tuple(shape), start + span[0])
        if len(shape) > MAX_AXES or span[1] - span[0] != entry.size or span[1] > size:
            raise ValueError(f"the size of tensor {number} does not match its shape")
        if not entry.size and max(shape) > size:
            raise ValueError(f"tensor {number} is empty, with {len(shape)} axes of up to {max(shape):,}")
        entries[name] = entry
        total += entry.size
    if total != size:
        raise ValueError(f"its tensors take {total:,} bytes of {size:,}")
    return entries


def _naturals(values: Any) -> bool:
    return isinstance(values, list) and all(type(v) is int and 0 <= v < 2**60 for v in values)
