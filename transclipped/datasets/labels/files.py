"""Labels of custom images from a file, in the common formats.

| file             | images and labels                                                                        |
| ---------------- | ---------------------------------------------------------------------------------------- |
| .csv, .tsv, .txt | a column of names, and one of labels or one 0/1 column a label                           |
| .jsonl, .json    | objects with the same columns, one a line or in a list; labels as text, number or list   |
| .parquet         | the same columns                                                                         |

The names' column is the first called `id`, `filename`, `file_name`, `file`, `path`, `image`, …, the labels' column
the first called `label`, `labels`, `class`, `tags`, `category`, …, in any case; a single other column is the labels'.
Several labels stand in a list, or in one cell between `;`, `|` or `,`. Delimiter and encoding are recognised.
`metadata.csv`, `metadata.jsonl` and the like beside the images are found by `beside`.
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

ID_COLUMNS = (
    "id",
    "image_id",
    "imageid",
    "filename",
    "file_name",
    "file",
    "filepath",
    "file_path",
    "path",
    "image_path",
    "image",
    "img",
    "picture",
    "name",
)
LABEL_COLUMNS = (
    "label",
    "labels",
    "class",
    "classes",
    "class_name",
    "category",
    "categories",
    "tag",
    "tags",
    "keywords",
    "target",
    "species",
)
SEVERAL = ("labels", "classes", "categories", "tags", "keywords")  # columns whose commas divide labels
BESIDE = ("metadata.csv", "metadata.jsonl", "metadata.parquet", "labels.csv", "labels.tsv", "labels.jsonl")
DELIMITERS = (",", "\t", ";", "|")
SEPARATORS = (";", "|", ",")  # between the labels of a cell
MISSING = ("", "nan", "<na>")  # text that is no label, in any case
MAX_BYTES = 1 << 30
EXAMPLES = 5


@dataclass(frozen=True, kw_only=True)
class LabelFile:
    """What a file of labels was recognised as, and what it says of some images.

    Attributes:
        path: of the file.
        encoding: such as "utf-8"; "" for parquet.
        delimiter: between the cells of a CSV; "" for others.
        id_column: whose cells name the images.
        label_columns: the labels' column, or one column a label.
        one_hot: whether each column is a label, marked by 0 and 1.
        separator: between several labels of a cell; "" for one label a cell, and for lists.
        n_rows: rows of the file.
        n_images: images that labels were looked for.
        labels: `[n_images]` int64 class or `[n_images, L]` uint8, as in `ImageSet`.
        class_names: `L` names.
        unknown: names in the file that are none of the images.
        examples: (name, labels) of the first images that have one.
    """

    path: Path
    encoding: str
    delimiter: str
    id_column: str
    label_columns: tuple[str, ...]
    one_hot: bool
    separator: str
    n_rows: int
    n_images: int
    labels: np.ndarray
    class_names: tuple[str, ...]
    unknown: tuple[str, ...]
    examples: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def n_labelled(self) -> int:
        """Images that got a label."""
        has = self.labels.any(axis=1) if self.labels.ndim == 2 else self.labels != UNLABELLED
        return int(has.sum())


class _Table(NamedTuple):
    """header; rows as (number in the file, cells); how the file was read."""

    header: list[str]
    rows: list[tuple[int, list[Any]]]
    unit: str  # what a number counts: "line" or "row"
    encoding: str = ""
    delimiter: str = ""


class _Columns(NamedTuple):
    """Places of the columns that count."""

    id: int
    labels: list[int]
    one_hot: bool


def recognise(path: Path, ids: Sequence[object]) -> LabelFile:
    """Columns, form and content of a file of labels.

    Args:
        path: of the file.
        ids: `[n]` ids of the images: paths below their folder with forward slashes, or numbers.

    Raises:
        InputError: the file cannot be read, no column of names or labels is recognised, a row is wrong, or no image
            gets a label.
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
            raise InputError(f"{path} {table.unit} {number}: {name} is there twice; keep one {table.unit} an id")
        if row is None:
            unknown[name] = labels
        else:
            given[row] = labels
    if not given:
        raise InputError(
            f"{path} labels none of the images; its column {table.header[columns.id]!r} should hold ids such as "
            f"{ids[0]}"
        )
    return _summary(path, table, columns, separator, ids, given, unknown)


def beside(root: Path) -> Path | None:
    """A file of labels directly in a folder, by the names in use for such (`BESIDE`); None if there is none."""
    return next((root / name for name in BESIDE if (root / name).is_file()), None)


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (line number, cells) of a CSV in any usual encoding, cells stripped, empty lines left out.

    Raises:
        InputError: it cannot be read, is empty, or a line has another number of cells than the header.
    """
    table = _csv(path)
    return table.header, table.rows


def is_missing(value: Any) -> bool:
    """Whether a value stands for no label: None, NaN, or text that is empty or spells NaN."""
    if isinstance(value, float):
        return math.isnan(value)
    return value is None or (isinstance(value, str) and value.strip().casefold() in MISSING)


def label_name(value: Any) -> str:
    """Name of a label; a whole number that became floating point beside missing ones is written as one again."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


# Which columns count


def _columns(table: _Table, path: Path) -> _Columns:
    lower = [str(name).strip().casefold() for name in table.header]
    place = next((lower.index(name) for name in ID_COLUMNS if name in lower), None)
    if place is None:
        raise InputError(
            f"{path} must have a column that names the images, such as 'id' or 'filename', and one of labels, such as "
            f"'label'; none of its {len(lower)} columns is called so"
        )
    label = next((lower.index(name) for name in LABEL_COLUMNS if name in lower and lower.index(name) != place), None)
    others = [i for i in range(len(lower)) if i != place]
    if label is None and len(others) == 1 and not _marks(table, others[0]):
        label = others[0]
    if label is not None:
        return _Columns(place, [label], False)
    marked = [i for i in others if _marks(table, i)]
    if not marked:
        raise InputError(
            f"{path} must begin with the line 'id,label' or 'id,<label>,<label>,…'; besides the images' names it has "
            f"{len(others)} columns, none of which is called 'label', 'class' or 'tags', or holds 0 and 1"
        )
    return _Columns(place, marked, True)


def _marks(table: _Table, column: int) -> bool:
    """Whether more than half of a column's cells are 0 or 1, empty ones aside: a wrong one is then named, not passed
    over."""
    cells = [cells[column] for _, cells in table.rows if not is_missing(cells[column])]
    return 2 * sum(_mark(cell) is not None for cell in cells) > len(cells)


def _mark(cell: Any) -> bool | None:
    """Whether a cell marks a label; None if it is neither 0 nor 1."""
    text = str(cell).strip().casefold()
    return {"0": False, "1": True, "0.0": False, "1.0": True, "false": False, "true": True}.get(text)


def _separator(table: _Table, column: int) -> str:
    """What divides several labels in a cell. A comma counts only where its parts come up again in other cells, or the
    column's name is a plural: ImageNet's "tench, Tinca tinca" is one label."""
    cells = {cells[column] for _, cells in table.rows if isinstance(cells[column], str) and cells[column].strip()}
    for separator in SEPARATORS:
        if not any(separator in cell for cell in cells):
            continue
        parts = {part.strip() for cell in cells for part in cell.split(separator)}
        if separator != "," or table.header[column].strip().casefold() in SEVERAL or len(parts) < len(cells):
            return separator
    return ""


# What a row says


def _name(cell: Any) -> str:
    if isinstance(cell, dict):  # an image of Hugging Face's data sets: {"bytes": …, "path": …}
        cell = cell.get("path") or cell.get("file_name") or ""
    return label_name("" if cell is None else cell)


def _labels(table: _Table, columns: _Columns, number: int, cells: list[Any], separator: str, path: Path) -> list[str]:
    if not columns.one_hot:
        return _several(cells[columns.labels[0]], separator)
    labels = []
    for i in columns.labels:
        mark = False if is_missing(cells[i]) else _mark(cells[i])
        if mark is None:
            raise InputError(
                f"{path} {table.unit} {number}: a cell of column {table.header[i]!r} is neither 0 nor 1; or use the "
                f"columns 'id,label'"
            )
        if mark:
            labels.append(table.header[i])
    return labels


def _several(cell: Any, separator: str) -> list[str]:
    values = cell if isinstance(cell, list | tuple) else [cell]
    parts = [
        part
        for value in values
        for part in (value.split(separator) if separator and isinstance(value, str) else [value])
    ]
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
    every = [*given.values(), *unknown.values()]  # a class is one although its images are gone
    names = named if columns.one_hot else tuple(sorted({label for labels in every for label in labels}))
    if not any(given.values()):
        raise InputError(f"{path} names no label at all; write one behind each id")
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


# How a file is read


def _read(path: Path) -> _Table:
    return {".parquet": _parquet, ".jsonl": _objects, ".json": _objects}.get(path.suffix.lower(), _csv)(path)


def _csv(path: Path) -> _Table:
    text, encoding = _text(path)
    delimiter = _delimiter(text)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(map(str.strip, line))]
    except csv.Error as error:
        raise InputError(f"{path} is not a CSV ({error}); save it as one") from error
    if not lines:
        raise InputError(f"{path} is empty; it needs a header and one line an id")
    header, rows = lines[0][1], lines[1:]
    if IMAGE.search(header[0]) and len(header) > 1:  # the first line is a row already
        header, rows = (
            ["id", *(["label"] if len(header) == 2 else [f"column {i}" for i in range(2, len(header) + 1)])],
            lines,
        )
    for number, line in rows:
        if len(line) != len(header):
            raise InputError(
                f"{path} line {number} has {len(line)} cells, the header has {len(header)}; make them agree"
            )
    return _Table(header, rows, "line", encoding, delimiter)


def _delimiter(text: str) -> str:
    """The most frequent of the usual ones in the first line that is not empty."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    return max(DELIMITERS, key=first.count)


def _text(path: Path) -> tuple[str, str]:
    """Text of a file and its encoding: UTF-16 by its mark, UTF-8 where it is valid, else Western European."""
    raw = _bytes(path)
    marked = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp1252", "latin-1"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, encoding.removesuffix("-sig")
    raise InputError(f"{path} is not a CSV, but binary; save it as text in UTF-8")


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():  # opening a pipe would wait forever
        raise InputError(f"{path} is not a regular file; give a file of labels")


def _bytes(path: Path) -> bytes:
    _check_regular(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path} is larger than {MAX_BYTES >> 30} GiB; is it the file of labels?")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _objects(path: Path) -> _Table:
    """Rows of JSON objects, one a line or in one list; a key that an object lacks is None there."""
    text, encoding = _text(path)
    try:
        if path.suffix.lower() == ".json":
            rows = list(enumerate(json.loads(text), start=1))
        else:
            rows = [(i, json.loads(line)) for i, line in enumerate(text.splitlines(), start=1) if line.strip()]
    except (ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}); write one object a line, or a list of objects") from error
    if not rows or not all(isinstance(row, dict) for _, row in rows):
        raise InputError(f'{path} must hold JSON objects, such as {{"file_name": "a.jpg", "label": "cat"}}')
    header = list(dict.fromkeys(key for _, row in rows for key in row))
    return _Table(header, [(i, [row.get(key) for key in header]) for i, row in rows], "line", encoding)


def _parquet(path: Path) -> _Table:
    import pyarrow.parquet as pq

    _check_regular(path)
    try:
        file = pq.ParquetFile(path)
        wanted = [name for name in file.schema_arrow.names if not _heavy(file.schema_arrow.field(name).type)]
        columns = [file.read(columns=[name]).column(name).to_pylist() for name in wanted]
    except OSError as error:
        raise InputError(f"cannot read {path}: {cause(error)}; save it again") from error
    except (ValueError, KeyError, NotImplementedError) as error:  # pyarrow's own errors are OSError or ValueError
        raise InputError(f"{path} cannot be read as parquet ({cause(error)}); save it again") from error
    return _Table(wanted, [(i, list(row)) for i, row in enumerate(zip(*columns, strict=True), start=1)], "row")


def _heavy(kind: Any) -> bool:
    """Bytes and embeddings, which are neither names nor labels."""
    import pyarrow as pa

    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if listed:
        return pa.types.is_floating(kind.value_type)
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
