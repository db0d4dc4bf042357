"""Pictures of one's own: a folder, searched recursively.

An id is the path below the folder, with forward slashes. Labels come from a CSV, or else from the names of
the first-level sub-folders if there are at least two. What cannot be used is listed with a reason in
`skipped` and left out. Links to folders are not followed, and no path leaves the folder.
"""

from __future__ import annotations

import csv
import os
import stat
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import DECODERS, UNLABELLED, ImageSet, fingerprint
from transclipped.datasets.pictures import BROWSER_FORMATS, fault, open_picture, square, to_png
from transclipped.errors import InputError

MAX_K = 1000  # K of mAP@K, unless the database is smaller


class Found(NamedTuple):
    """A file below the folder, by its id, and what tells whether it changed."""

    id: str
    size: int  # bytes
    mtime_ns: int


class Folder(ImageSet):
    """Pictures as files.

    Args:
        root: the folder that ids are relative to.
    """

    def __init__(self, *, root: Path, **rest: object) -> None:
        super().__init__(**rest)
        self.root = root

    def path(self, row: int) -> Path:
        """Where a picture lies."""
        return self.root / self.ids[int(row)]

    def encoded(self, row: int) -> bytes:
        path = self.path(row)
        try:
            raw = path.read_bytes()
            with Image.open(path) as image:
                shown = image.format in BROWSER_FORMATS and image.mode != "CMYK"
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; was it moved or changed?") from error
        return raw if shown else to_png(self.picture(row))

    def picture(self, row: int) -> Image.Image:
        return open_picture(self.path(row))

    def _square(self, row: int, size: int) -> Image.Image:
        return square(open_picture(self.path(row), at_least=size), size)


def load(config: DataConfig) -> Folder:
    """The pictures below `config.data`, with labels from `config.labels` if given.

    Raises:
        InputError: no folder is given, it is missing, holds fewer than two pictures, or the labels are wrong.
    """
    root = folder_of(config)
    apart = {Path(p).expanduser().resolve() for p in (config.labels, config.split) if p is not None}
    found, skipped = scan(root, apart=apart)
    found, damaged = whole(root, found)
    skipped += damaged
    if len(found) < 2:
        named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3])
        raise InputError(f"{root} holds {len(found)} usable pictures, at least 2 are needed ({named or 'it is empty'})")
    ids = np.array([file.id for file in found])
    if config.labels is not None:
        labels, names, unknown = read_labels(Path(config.labels).expanduser(), ids)
        skipped += [(name, "has a label, but is not among the pictures") for name in unknown]
    else:
        labels, names = labels_of_folders(ids)
    images = Folder(
        root=root,
        name="folder",
        ids=ids,
        labels=labels,
        class_names=names,
        fingerprint=fingerprint(*(f"{f.id}\0{f.size}\0{f.mtime_ns}\0".encode() for f in found)),
        default_k=MAX_K,
        skipped=sorted(skipped),
    )
    images.default_k = min(MAX_K, len(images.roles("default", seed=0).database))
    return images


def folder_of(config: DataConfig) -> Path:
    """`config.data` as an existing folder, links resolved."""
    if config.data is None:
        raise InputError(f"data set {config.dataset!r} needs its folder; name it with --data")
    root = Path(config.data).expanduser()
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the folder with the pictures as data")
    return root.resolve()


def scan(root: Path, *, apart: set[Path] = frozenset()) -> tuple[list[Found], list[tuple[str, str]]]:
    """Files below `root`, sorted by id, and (id, reason) of what is not looked at.

    Hidden files and those `apart` are passed over silently.
    """
    found, skipped = [], []
    for path in _walk(root, skipped):
        name = path.relative_to(root).as_posix()
        try:
            name.encode()
            info = path.stat()  # of the target, for a link
        except UnicodeEncodeError:
            skipped.append((os.fsencode(name).decode(errors="backslashreplace"), "its name is not valid UTF-8"))
            continue
        except OSError as error:
            skipped.append((name, (error.strerror or str(error)).lower()))
            continue
        if path.resolve() in apart:
            continue
        if not path.resolve().is_relative_to(root):
            skipped.append((name, "a link that leaves the folder"))
        elif not stat.S_ISREG(info.st_mode):
            skipped.append((name, "not a regular file"))  # opening a pipe would wait forever
        elif not info.st_size:
            skipped.append((name, "it is empty"))
        else:
            found.append(Found(name, info.st_size, info.st_mtime_ns))
    return sorted(found), skipped


def whole(root: Path, found: list[Found]) -> tuple[list[Found], list[tuple[str, str]]]:
    """Those that are whole pictures, and (id, reason) of the others."""
    with ThreadPoolExecutor(DECODERS) as pool:
        faults = list(pool.map(lambda file: fault(root / file.id), found))
    good = [file for file, reason in zip(found, faults, strict=True) if reason is None]
    return good, [(file.id, reason) for file, reason in zip(found, faults, strict=True) if reason is not None]


def labels_of_folders(ids: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Class `[n]` int64 by first-level sub-folder; pictures outside of one are `UNLABELLED`."""
    firsts = [name.split("/")[0] if "/" in name else None for name in ids]
    names = tuple(sorted({first for first in firsts if first is not None}))
    if len(names) < 2:  # one folder tells nothing apart
        return None, ()
    index = {name: i for i, name in enumerate(names)}
    return np.array([index.get(first, UNLABELLED) for first in firsts]), names


def read_labels(path: Path, ids: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], list[str]]:
    """Labels of a CSV: `id,label`, with `;` between several labels, or one 0/1 column a label.

    Returns:
        `[n]` int64 classes or `[n, L]` uint8; class names; ids that are not among `ids`.

    Raises:
        InputError: the file cannot be read, or a line of it is wrong.
    """
    header, lines = read_csv(path)
    if header[0] != "id" or len(header) < 2:
        raise InputError(f"{path} must begin with the line 'id,label' or 'id,<label>,<label>,…', got {header}")
    one_hot = header[1:] != ["label"]
    given: dict[str, list[str]] = {}
    for number, line in lines:
        key = unicodedata.normalize("NFC", line[0])
        if key in given:
            raise InputError(f"{path} line {number}: {line[0]} is there twice; keep one line an id")
        given[key] = _marked(path, number, header, line) if one_hot else _split_labels(line[1])
    known = {unicodedata.normalize("NFC", name): row for row, name in enumerate(ids)}
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
        raise InputError(f"{path} is not a CSV in UTF-8 ({error}); save it as one") from error
    if not lines:
        raise InputError(f"{path} is empty; it needs a header and one line an id")
    header = lines[0][1]
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise InputError(
                f"{path} line {number} has {len(line)} cells, the header has {len(header)}; make them agree"
            )
    return header, lines[1:]


def _walk(root: Path, skipped: list[tuple[str, str]]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(root).as_posix()
        skipped.append((name, f"this folder cannot be read: {(error.strerror or str(error)).lower()}"))

    for folder, below, files in os.walk(root, followlinks=False, onerror=unreadable):
        here = Path(folder)
        for name in below:
            if not name.startswith(".") and (here / name).is_symlink():
                shown = os.fsencode((here / name).relative_to(root)).decode(errors="backslashreplace")
                skipped.append((Path(shown).as_posix(), "a link to a folder, which is not followed"))
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (here / name for name in files if not name.startswith("."))


def _marked(path: Path, number: int, header: list[str], line: list[str]) -> list[str]:
    if wrong := [cell for cell in line[1:] if cell not in ("0", "1")]:
        raise InputError(f"{path} line {number}: {wrong[0]!r} is neither 0 nor 1; or use the columns 'id,label'")
    return [name for name, cell in zip(header[1:], line[1:], strict=True) if cell == "1"]


def _split_labels(cell: str) -> list[str]:
    return [label for label in (part.strip() for part in cell.split(";")) if label]
