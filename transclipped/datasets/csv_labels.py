"""Labels of one's own pictures as a CSV: `id,label`, with `;` between several labels, or one 0/1 column a label."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import numpy as np

from transclipped.datasets.base import UNLABELLED
from transclipped.errors import InputError, cause


def read_labels(path: Path, ids: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Labels of a CSV, whose ids may be spelled with either separator and in either form of Unicode.

    Args:
        path: of the CSV.
        ids: `[n]` relative POSIX paths.

    Returns:
        `[n]` int64 classes or `[n, L]` uint8; class names; ids that are not among `ids`.

    Raises:
        InputError: the file cannot be read, or a line of it is wrong.
    """
    header, lines = read_csv(path)
    if header[0] != "id" or len(header) < 2:
        raise InputError(
            f"{path} must begin with the line 'id,label' or 'id,<label>,<label>,…'; this file has {len(header)} columns"
        )
    one_hot = header[1:] != ["label"]
    known = {unicodedata.normalize("NFC", name): row for row, name in enumerate(ids)}
    given: dict[str, list[str]] = {}
    for number, line in lines:
        key = _key(line[0], known)
        if key in given:
            raise InputError(f"{path} line {number}: {line[0]} is there twice; keep one line an id")
        given[key] = _marked(path, number, header, line) if one_hot else _split_labels(line[1])
    if not known.keys() & given.keys():
        example = next(iter(given), "nothing")
        raise InputError(f"{path} labels none of the pictures; ids are paths such as {ids[0]}, got {example}")
    names = tuple(header[1:]) if one_hot else tuple(sorted({label for labels in given.values() for label in labels}))
    if not names:
        raise InputError(f"{path} names no label at all; write one behind each id")
    labels = np.zeros((len(ids), len(names)), np.uint8)
    index = {name: i for i, name in enumerate(names)}
    for key in known.keys() & given.keys():
        labels[known[key], [index[label] for label in given[key]]] = 1
    unknown = sorted(given.keys() - known.keys())
    if one_hot or (labels.sum(axis=1) > 1).any():
        return labels, names, unknown
    return np.where(labels.any(axis=1), labels.argmax(axis=1), UNLABELLED), names, unknown


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (line number, cells) of a CSV in UTF-8, cells stripped, empty lines left out.

    Raises:
        InputError: it cannot be read, is empty, or a line has another number of cells than the header.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in line]) for line in reader if any(line)]
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is not a CSV in UTF-8 ({cause(error)}); save it as one") from error
    if not lines:
        raise InputError(f"{path} is empty; it needs a header and one line an id")
    header = lines[0][1]
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise InputError(
                f"{path} line {number} has {len(line)} cells, the header has {len(header)}; make them agree"
            )
    return header, lines[1:]


def _key(text: str, known: dict[str, int]) -> str:
    name = unicodedata.normalize("NFC", text)
    return name if name in known else name.replace("\\", "/").removeprefix("./")


def _marked(path: Path, number: int, header: list[str], line: list[str]) -> list[str]:
    if wrong := [cell for cell in line[1:] if cell not in ("0", "1")]:
        raise InputError(f"{path} line {number}: {wrong[0]!r} is neither 0 nor 1; or use the columns 'id,label'")
    return [name for name, cell in zip(header[1:], line[1:], strict=True) if cell == "1"]


def _split_labels(cell: str) -> list[str]:
    return [label for label in (part.strip() for part in cell.split(";")) if label]
