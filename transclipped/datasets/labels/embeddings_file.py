"""Files of existing embeddings: .npy, .npz or parquet, optionally with ids and labels.

| file     | embeddings                              | ids         | labels                             |
| -------- | --------------------------------------- | ----------- | ---------------------------------- |
| .npy     | `[n, F]`, memory-mapped                 | rows        | a CSV, `id,label`, of these rows   |
| .npz     | array `embeddings`                      | array `ids` | array `labels`, `[n]` or `[n, L]`  |
| .parquet | column `embedding`, lists of one length | column `id` | column `label`: name, number, list |

Nothing is unpickled. Every number is checked, since one NaN would spoil a whole index.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transclipped.datasets.base import UNLABELLED
from transclipped.datasets.labels.files import is_missing, label_name
from transclipped.errors import InputError
from transclipped.utils.archive import readable

SUFFIXES = (".npy", ".npz", ".parquet")
BLOCK = 65_536  # rows checked at once
MAX_WIDTH = 65_536


class Read(NamedTuple):
    """Content of a file."""

    embeddings: np.ndarray  # [n, F] of any float type
    ids: np.ndarray  # [n] int64 or str
    labels: np.ndarray | None  # [n] int64 or [n, L] uint8
    class_names: tuple[str, ...]
    digest: str  # 16 hex digits of the numbers and ids


def read(path: Path) -> Read:
    """Embeddings, ids and labels of a file.

    Raises:
        InputError: it is missing, damaged, of another kind, or a row is not finite or all zero.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} must end in {', '.join(SUFFIXES)}; save the embeddings as one of these")
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the file of embeddings as data")
    embeddings, ids, labels = _READERS[path.suffix.lower()](path)
    if embeddings.ndim != 2 or embeddings.dtype.kind != "f":
        raise InputError(
            f"{path} holds {embeddings.dtype} of shape {[*embeddings.shape]}; need floating-point numbers [n, F]"
        )
    n, width = embeddings.shape
    if n < 2 or not 2 <= width <= MAX_WIDTH:
        raise InputError(f"{path} holds {n} embeddings of {width} numbers; need at least 2, of 2 to {MAX_WIDTH:,}")
    ids = np.arange(n) if ids is None else _ids(ids, n, path)
    classes, names = (None, ()) if labels is None else _encode_labels(labels, n, path)
    return Read(embeddings, ids, classes, names, _digest(embeddings, ids, path))


def _encode_labels(labels: list[Any] | np.ndarray, n: int, path: Path) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Classes `[n]` int64, or `[n, L]` uint8 for lists of labels or a 0/1 matrix, and the class names.

    None, NaN and empty text are missing labels; if all are missing, the classes are None.
    """
    if len(labels) != n:
        raise InputError(f"{path} holds {n} embeddings but {len(labels)} labels; make them agree")
    if isinstance(labels, np.ndarray) and labels.ndim == 2:
        if not np.isin(labels, (0, 1)).all():
            raise InputError(f"{path} holds labels {[*labels.shape]} with values other than 0 and 1")
        return labels.astype(np.uint8), tuple(str(i) for i in range(labels.shape[1]))
    values = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if any(isinstance(value, list) for value in values):
        return _encode_lists(values)
    present = {value for value in values if not is_missing(value)}
    if not present:
        return None, ()
    classes = sorted(present, key=lambda value: (str(type(value)), value))
    index = {value: i for i, value in enumerate(classes)}
    codes = [UNLABELLED if is_missing(value) else index[value] for value in values]
    return np.array(codes, np.int64), tuple(map(label_name, classes))


def _encode_lists(values: list[Any]) -> tuple[np.ndarray, tuple[str, ...]]:
    lists = [value if isinstance(value, list) else [value] for value in values]
    lists = [[label_name(label) for label in row if not is_missing(label)] for row in lists]
    names = sorted({label for row in lists for label in row})
    index = {name: i for i, name in enumerate(names)}
    labels = np.zeros((len(values), len(names)), np.uint8)
    for row, names_of_row in enumerate(lists):
        labels[row, [index[label] for label in names_of_row]] = 1
    return labels, tuple(names)


def _npy(path: Path) -> tuple[np.ndarray, None, None]:
    with _readable(path):
        return np.load(path, mmap_mode="r", allow_pickle=False), None, None


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    with _readable(path), np.load(path, allow_pickle=False) as file:
        if "embeddings" not in file.files:
            raise InputError(f"{path} holds {len(file.files)} arrays, none of them 'embeddings'; rename the right one")
        return tuple(file[name] if name in file.files else None for name in ("embeddings", "ids", "labels"))


def _parquet(path: Path) -> tuple[np.ndarray, list[Any] | None, list[Any] | None]:
    import pyarrow.parquet as pq

    with _readable(path):
        table = pq.read_table(path)
    if "embedding" not in table.column_names:
        raise InputError(
            f"{path} has {len(table.column_names)} columns, none of them 'embedding'; rename the right one"
        )
    ids, labels = (table[name].to_pylist() if name in table.column_names else None for name in ("id", "label"))
    return _matrix(table["embedding"].combine_chunks(), path), ids, labels


def _matrix(column, path: Path) -> np.ndarray:
    """`[n, F]` of a column of lists; null becomes NaN, which `_digest` refuses."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not pa.types.is_floating(kind.value_type):
        raise InputError(f"{path} has a column 'embedding' of {kind}; need lists of floating-point numbers")
    lengths = pc.list_value_length(column).to_pylist()
    if column.null_count or len(set(lengths)) > 1:
        odd = next((i for i, length in enumerate(lengths) if length != lengths[0]), 0)
        raise InputError(f"{path} row {odd} has {lengths[odd]} numbers, row 0 has {lengths[0]}; make them agree")
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1) if len(column) else np.zeros((0, 0), np.float32)


_READERS = {".npy": _npy, ".npz": _npz, ".parquet": _parquet}


def _readable(path: Path) -> AbstractContextManager[None]:
    return readable(f"{path} cannot be read", "save it again, as plain numbers")


def _ids(ids: list[Any] | np.ndarray, n: int, path: Path) -> np.ndarray:
    values = ids.tolist() if isinstance(ids, np.ndarray) else ids
    if len(values) != n:
        raise InputError(f"{path} holds {n} embeddings but {len(values)} ids; make them agree")
    if not all(isinstance(value, int) for value in values):
        values = [str(value) for value in values]
    (value, count) = Counter(values).most_common(1)[0]
    if count > 1:
        raise InputError(f"{path} has the id {value!r} {count} times; ids must differ")
    return np.array(values)


def _digest(embeddings: np.ndarray, ids: np.ndarray, path: Path) -> str:
    """Hash of the content; InputError for rows without a direction."""
    digest = hashlib.sha256(f"{embeddings.dtype} {embeddings.shape}".encode())
    digest.update("\n".join(map(str, ids)).encode())
    for start in range(0, len(embeddings), BLOCK):
        block = np.ascontiguousarray(embeddings[start : start + BLOCK])
        length = np.abs(block).max(axis=1)  # NaN stays NaN
        if len(bad := np.flatnonzero(~(np.isfinite(length) & (length > 0)))):
            row = int(bad[0])
            what = "is all zero" if length[row] == 0 else "holds a number that is not finite"
            raise InputError(
                f"{path}: embedding {ids[start + row]!s} {what}, so it has no direction; "
                f"leave it out ({len(bad)} such in rows {start:,} to {start + len(block) - 1:,})"
            )
        digest.update(block.tobytes())
    return digest.hexdigest()[:16]
