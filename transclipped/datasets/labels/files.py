"""Labels of custom images from a file, in the common formats.

| file             | images and labels                                                                        |
| ---------------- | ---------------------------------------------------------------------------------------- |
| .csv, .tsv, .txt | a column of names, and one of labels or one 0/1 column per label                         |
| .jsonl, .json    | objects with the same columns, one per line or in a list; labels as text, number or list |
| .parquet         | the same columns                                                                         |

The column of names is the first called `id`, `filename`, `file_name`, `file`, `path`, `image`, …, that of labels the
first called `label`, `labels`, `class`, `tags`, `category`, …, in upper or lower case, or the only other column.
Several labels are a list, or one cell with `;`, `|` or `,` in between. Delimiter and encoding are detected.
`beside` returns `metadata.csv`, `metadata.jsonl` and the like in a folder of images.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transclipped.datasets.base import UNLABELLED
from transclipped.datasets.labels.lists import IMAGE
from transclipped.datasets.labels.names import Names
from transclipped.errors import InputError, cause

_IDS = "id image_id imageid filename file_name file filepath file_path path image_path image img picture name"
_LABELS = "label labels class classes class_name category categories tag tags keywords target species"
ID_COLUMNS, LABEL_COLUMNS = _IDS.split(), _LABELS.split()
SEVERAL = ("labels", "classes", "categories", "tags", "keywords")  # columns whose commas separate labels
BESIDE = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "labels.csv", "labels.tsv", "labels.jsonl")
DELIMITERS = (",", "\t", ";", "|")
SEPARATORS = (";", "|", ",")  # between the labels of a cell
MISSING = ("", "nan", "<na>")  # text for a missing label, in upper or lower case
MAX_BYTES = 1 << 30
EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """The detected form of a file of labels, and the labels of the images."""

    path: Path
    encoding: str  # such as "utf-8"; "" for parquet
    delimiter: str  # between the cells of a CSV; "" for others
    id_column: str  # names the images
    label_columns: tuple[str, ...]  # the column of labels, or one column per label
    one_hot: bool  # whether each column is a label, with cells 0 and 1
    separator: str  # between several labels of a cell; "" for one label per cell, and for lists
    n_rows: int  # of the file
    n_images: int
    labels: np.ndarray  # [n_images] int64 class or [n_images, L] uint8, as in `ImageSet`
    class_names: tuple[str, ...]  # L names
    unknown: tuple[str, ...]  # names in the file without an image
    examples: tuple[tuple[str, tuple[str, ...]], ...]  # (name, labels) of the first images with labels

    @property
    def n_labelled(self) -> int:
        """Number of images with a label."""
        has = self.labels.any(axis=1) if self.labels.ndim == 2 else self.labels != UNLABELLED
        return int(has.sum())


class _Table(NamedTuple):
    """Rows are (number in the file, cells)."""

    header: list[str]
    rows: list[tuple[int, list[Any]]]
    unit: str  # "line" or "row", which the numbers count
    encoding: str = ""
    delimiter: str = ""


class _Columns(NamedTuple):
    """Indices of the columns."""

    id: int
    labels: list[int]
    one_hot: bool


def recognise(path: Path, ids: Sequence[object]) -> LabelFile:
    """Columns, form and content of a file of labels.

    Args:
        path: of the file.
        ids: `[n]` ids of the images: paths below their folder with forward slashes, or numbers.

    Raises:
        InputError: the file cannot be read, has no column of names or labels, a row is wrong, or no image has a label.
    """
    table = _read(path)
    columns = _columns(table, path)
    names = Names(ids)
    given: dict[int, list[str]] = {}
    unknown: dict[str, list[str]] = {}
    separator = "" if columns.one_hot else _separator(table, columns.labels[0])
    for number, cells in table.rows:
        name = _name(cells[columns.id])
        labels = _labels(table, columns, number, cells, separator, path)
        row = names.find(name, loosely=True)
        if row is None:
            name = name.replace("\\", "/")
        if name in unknown or row in given:
            raise InputError(f"{path} {table.unit} {number}: {name} is listed twice; keep one {table.unit} per id")
        if row is None:
            unknown[name] = labels
        else:
            given[row] = labels
    if not given:
        column = table.header[columns.id]
        raise InputError(f"{path} labels none of the images; its column {column!r} should hold ids such as {ids[0]}")
    return _summary(path, table, columns, separator, ids, given, unknown)


def beside(root: Path) -> Path | None:
    """The file of labels directly in a folder, with a usual name (`BESIDE`); None if there is none."""
    return next((root / name for name in BESIDE if (root / name).is_file()), None)


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (line number, cells) of a CSV in any usual encoding, cells stripped, empty lines left out."""
    return _csv(path)[:2]


def is_missing(value: Any) -> bool:
    """Whether a label is missing: None, NaN, or text that is empty or spells NaN."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().casefold() in MISSING)


def label_name(value: Any) -> str:
    """Name of a label; 3.0, as pandas writes 3 in a column with missing values, becomes "3"."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


# Columns


def _columns(table: _Table, path: Path) -> _Columns:
    lower = [str(name).strip().casefold() for name in table.header]
    names = next((lower.index(name) for name in ID_COLUMNS if name in lower), None)
    if names is None:
        raise InputError(
            f"{path} needs a column of image names, such as 'id' or 'filename', and one of labels, such as 'label'; "
            f"none of its {len(lower)} columns has such a name"
        )
    label = next((lower.index(name) for name in LABEL_COLUMNS if name in lower and lower.index(name) != names), None)
    others = [i for i in range(len(lower)) if i != names]
    if label is None and len(others) == 1 and not _marks(table, others[0]):
        label = others[0]
    if label is not None:
        return _Columns(names, [label], False)
    marked = [i for i in others if _marks(table, i)]
    if not marked:
        raise InputError(
            f"{path} must begin with the line 'id,label' or 'id,<label>,<label>,…'; besides the image names it has "
            f"{len(others)} columns, none of which is called 'label', 'class' or 'tags', or holds 0 and 1"
        )
    return _Columns(names, marked, True)


def _marks(table: _Table, column: int) -> bool:
    """Whether more than half of the non-empty cells are 0 or 1; the others are then reported as errors."""
    cells = [cells[column] for _, cells in table.rows if not is_missing(cells[column])]
    return 2 * sum(_mark(cell) is not None for cell in cells) > len(cells)


def _mark(cell: Any) -> bool | None:
    """Boolean value of a cell; None if it is neither 0 nor 1."""
    text = str(cell).strip().casefold()
    return {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}.get(text)


def _separator(table: _Table, column: int) -> str:
    """Separator of several labels in a cell. A comma counts only if its parts occur in other cells too, or the
    column name is a plural: ImageNet's "tench, Tinca tinca" is one label."""
    cells = {cells[column] for _, cells in table.rows if isinstance(cells[column], str) and cells[column].strip()}
    for separator in SEPARATORS:
        if not any(separator in cell for cell in cells):
            continue
        parts = {part.strip() for cell in cells for part in cell.split(separator)}
        if separator != "," or table.header[column].strip().casefold() in SEVERAL or len(parts) < len(cells):
            return separator
    return ""


# Rows


def _name(cell: Any) -> str:
    if isinstance(cell, dict):  # an image of a Hugging Face data set: {"bytes": …, "path": …}
        cell = cell.get("path") or cell.get("file_name") or ""
    return label_name("" if cell is None else cell)


def _labels(table: _Table, columns: _Columns, number: int, cells: list[Any], separator: str, path: Path) -> list[str]:
    if not columns.one_hot:
        return _split(cells[columns.labels[0]], separator)
    labels = []
    for i in columns.labels:
        mark = False if is_missing(cells[i]) else _mark(cells[i])
        if mark is None:
            raise InputError(
                f"{path} {table.unit} {number}: a cell of column {table.header[i]!r} is neither 0 nor 1; correct it, "
                f"or use the columns 'id,label'"
            )
        if mark:
            labels.append(table.header[i])
    return labels


def _split(cell: Any, separator: str) -> list[str]:
    parts: list[Any] = []
    for value in cell if isinstance(cell, list | tuple) else [cell]:
        parts += value.split(separator) if separator and isinstance(value, str) else [value]
    return list(dict.fromkeys(label_name(part) for part in parts if not is_missing(part)))


def _summary(
    path: Path,
    table: _Table,
    columns: _Columns,
    separator: str,
    ids: Sequence[object],
    given: dict[int, list[str]],
    unknown: dict[str, list[str]],
) -> LabelFile:
    named = tuple(table.header[i] for i in columns.labels)
    every = [*given.values(), *unknown.values()]  # also classes whose images are missing
    names = named if columns.one_hot else tuple(sorted({label for labels in every for label in labels}))
    if not any(given.values()):
        raise InputError(f"{path} contains no label; write one after each id")
    index = {name: i for i, name in enumerate(names)}
    marks = np.zeros((len(ids), len(names)), np.uint8)
    for row, labels in given.items():
        marks[row, [index[label] for label in labels]] = 1
    several = columns.one_hot or bool((marks.sum(axis=1) > 1).any())
    labelled = [(str(ids[row]), tuple(labels)) for row, labels in sorted(given.items()) if labels]
    return LabelFile(
        path=path,
        encoding=table.encoding,
        delimiter=table.delimiter,
        id_column=table.header[columns.id],
        label_columns=named,
        one_hot=columns.one_hot,
        separator=separator,
        n_rows=len(table.rows),
        n_images=len(ids),
        labels=marks if several else np.where(marks.any(axis=1), marks.argmax(axis=1), UNLABELLED),
        class_names=names,
        unknown=tuple(sorted(unknown)),
        examples=tuple(labelled[:EXAMPLES]),
    )


# Formats


def _read(path: Path) -> _Table:
    return {".parquet": _parquet, ".jsonl": _objects, ".json": _objects}.get(path.suffix.lower(), _csv)(path)


def _csv(path: Path) -> _Table:
    text, encoding = _text(path)
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(map(str.strip, line))]
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV ({error}); save it as one") from error
    if not lines:
        raise InputError(f"{path} is empty; it needs a header and one line per id")
    header, rows = lines[0][1], lines[1:]
    if IMAGE.search(header[0]) and len(header) > 1:  # no header
        rest = ["label"] if len(header) == 2 else [f"column {i}" for i in range(2, len(header) + 1)]
        header, rows = ["id", *rest], lines
    for number, line in rows:
        if len(line) != len(header):
            message = f"{path} line {number} has {len(line)} cells, the header has {len(header)}; make them agree"
            raise InputError(message)
    return _Table(header, rows, "line", encoding, delimiter)


def _text(path: Path) -> tuple[str, str]:
    """Text of a file and its encoding: UTF-16 by its byte order mark, UTF-8 if valid, else Western European."""
    _check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 30} GiB; is it the file of labels?")
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding.removesuffix("-sig")
    raise InputError(f"{path} is binary, not a CSV; save it as text in UTF-8")


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():  # opening a pipe could block forever
        raise InputError(f"{path} is not a regular file; give a file of labels")


def _objects(path: Path) -> _Table:
    """Rows of JSON objects, one per line or in a list; missing keys become None."""
    text, encoding = _text(path)
    try:
        if path.suffix.lower() == ".json":
            rows = list(enumerate(json.loads(text), start=1))
        else:
            rows = [(i, json.loads(line)) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}); write one object per line, or a list of objects") from error
    if not rows or not all(isinstance(row, dict) for _, row in rows):
        raise InputError(f'{path} must hold JSON objects, such as {{"file_name": "a.jpg", "label": "cat"}}')
    header = list(dict.fromkeys(key for _, row in rows for key in row))
    return _Table(header, [(i, [row.get(key) for key in header]) for i, row in rows], "line", encoding)


def _parquet(path: Path) -> _Table:
    import pyarrow.parquet as pq

    _check_regular(path)
    try:
        file = pq.ParquetFile(path)
        names = [name for name in file.schema_arrow.names if not _heavy(file.schema_arrow.field(name).type)]
        columns = [file.read(columns=[name]).column(name).to_pylist() for name in names]
    except OSError as error:
        raise InputError(f"cannot read {path}: {cause(error)}; save it again") from error
    except (ValueError, KeyError, NotImplementedError) as error:  # pyarrow's own errors are OSError or ValueError
        raise InputError(f"{path} cannot be read as parquet ({cause(error)}); save it again") from error
    return _Table(names, [(i, list(row)) for i, row in enumerate(zip(*columns, strict=True), start=1)], "row")


def _heavy(kind: Any) -> bool:
    """Whether a column holds bytes or embeddings, neither names nor labels."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.types.is_floating(kind.value_type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
