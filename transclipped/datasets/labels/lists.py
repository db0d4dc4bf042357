"""Label lists of the hashing literature and of the two Flickr collections.

Four formats, recognised by their first line:

    rows      im7.jpg 0 1 0 …          an image and its 0/1 labels; NUS-WIDE's test, train and database lists
    names     im7.jpg                  images alone, whose labels are in …
    targets   0 1 0 …                  … a file with as many lines in the same folder; Flickr25K's pair of lists
    numbers   7                        numbers of the images with the label of the file name; MIRFLICKR's annotations

NUS-WIDE's ground truth has a file of 0/1 lines per concept (`read_marks`). Invalid lines are skipped and named in
`problems`; an error that would shift all following lines is refused.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transclipped.errors import InputError

IMAGE = re.compile(r"\.(jpe?g|png|gif|webp|bmp|tiff?)$", re.IGNORECASE)
ROLES = {"test": "query", "query": "query", "database": "database", "retrieval": "database", "train": "train"}
CROWD = 200  # more text files than this in one folder are not label lists: MIRFLICKR has 25,000 files of tags
ENDINGS = re.compile(r"[_-]?(imgs?|images?|names?|targets?|labels?|onehot|one_hot)(?=[_.-]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class LabelList:
    """Images with their labels, read from one list or a pair of them."""

    path: Path  # of the list, or of the names of a pair
    names: list[str]  # n names, with forward slashes
    labels: np.ndarray  # [n, L] uint8, 0 or 1
    role: str | None  # "query", "database" or "train" if the file name contains it
    problems: list[tuple[str, str]]  # (name or line, reason) of skipped lines


def text_files(root: Path, ids: list[str]) -> list[Path]:
    """Paths of the `.txt` files among `ids`, except in folders with more than `CROWD`."""
    texts = [root / name for name in ids if name.lower().endswith(".txt")]
    crowd = Counter(path.parent for path in texts)
    return [path for path in texts if crowd[path.parent] <= CROWD]


def find_lists(paths: list[Path]) -> list[LabelList]:
    """Lists of `rows`, and pairs of `names` and `targets`, among text files, in the order of their paths."""
    kinds = {path: kind_of(path) for path in sorted(paths)}
    lists = [_read_rows(path) for path, kind in kinds.items() if kind == "rows"]
    for names in (path for path, kind in kinds.items() if kind == "names"):
        beside = [path for path, kind in kinds.items() if kind == "targets" and path.parent == names.parent]
        partner = next((path for path in beside if _stem(path) == _stem(names)), None)
        if partner is not None:
            lists.append(_read_pair(names, partner))
    return sorted(lists, key=lambda result: result.path)


def kind_of(path: Path) -> str:
    """`rows`, `names`, `targets`, `numbers` or `other`, by the first non-empty line."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace") as file:
            start = file.read(4096)
    except OSError:
        return "other"
    cells = next((line.replace(",", " ").split() for line in start.splitlines() if line.strip()), [])
    if not cells:
        return "other"
    marks = [cell for cell in cells[1:] if cell in ("0", "1")]
    if IMAGE.search(cells[0]):
        return "names" if len(cells) == 1 else "rows" if 2 * len(marks) > len(cells) - 1 else "other"
    if len(cells) == 1:
        return "numbers" if cells[0].isdecimal() else "other"
    return "targets" if cells[0] in ("0", "1") and 2 * len(marks) > len(cells) - 1 else "other"


def _read_rows(path: Path) -> LabelList:
    lines = [line.replace(",", " ").split() for line in lines_of(path)]
    names = [cells[0].replace("\\", "/") if cells else "" for cells in lines]
    return _checked(path, path, names, [cells[1:] for cells in lines])


def _read_pair(names: Path, targets: Path) -> LabelList:
    images = [line.strip().replace("\\", "/") for line in lines_of(names)]
    rows = [line.replace(",", " ").split() for line in lines_of(targets)]
    if len(images) != len(rows):
        raise InputError(
            f"{names} has {len(images):,} lines, {targets} {len(rows):,}; they must correspond line by "
            f"line: get both from the same source"
        )
    return _checked(names, targets, images, rows)


def read_numbers(path: Path, *, most: int) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Numbers of images, 1 … `most`, in an annotation file; and (line, reason) of invalid lines."""
    numbers, problems = [], []
    for i, line in enumerate(lines_of(path), start=1):
        text = line.strip()
        if text.isdecimal() and 1 <= int(text) <= most:
            numbers.append(int(text))
        elif text:
            problems.append((f"{path.name} line {i}", f"not a number from 1 to {most:,}"))
    return np.unique(np.array(numbers, np.int64)), problems


def read_marks(path: Path) -> np.ndarray:
    """0/1 lines `[n]` uint8 of one concept."""
    try:
        marks = np.frombuffer(b"".join(path.read_bytes().split()), np.uint8) - ord("0")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if (marks > 1).any():
        raise InputError(f"{path} must hold 0 or 1 on each line; unpack NUS-WIDE's ground truth again")
    return marks


def lines_of(path: Path) -> list[str]:
    """Lines of a text; bytes that are not UTF-8 are escaped."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="backslashreplace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _checked(path: Path, marked: Path, names: list[str], rows: list[list[str]]) -> LabelList:
    """Lines with an image, the most frequent number of labels, and only 0 and 1."""
    widths = Counter(len(row) for row in rows if row).most_common(1)
    width = widths[0][0] if widths else 0
    used, marks, problems = {}, [], []
    for i, (name, row) in enumerate(zip(names, rows, strict=True), start=1):
        if not name and not row:
            continue
        reason = _fault(name, row, width)
        if reason is None and name in used:
            reason = "the image is listed twice; the first line is used"
        if reason is not None:
            label = name if IMAGE.search(name) else f"line {i}"  # never the content of another kind of file
            problems.append((label, f"{marked.name} line {i}: {reason}"))
            continue
        used[name] = i
        marks += row
    labels = np.frombuffer("".join(marks).encode(), np.uint8) - ord("0")
    words = re.split(r"[^a-z]+", path.stem.lower())
    role = next((role for word, role in ROLES.items() if word in words), None)
    labels = labels.reshape(len(used), width)
    return LabelList(path=path, names=list(used), labels=labels, role=role, problems=problems)


def _fault(name: str, row: list[str], width: int) -> str | None:
    if not name:
        return "without an image name"
    if ".." in name.split("/"):
        return "its path leads out of the folder"
    if len(row) != width:
        return f"{len(row)} labels, the other lines have {width}"
    return None if all(cell in ("0", "1") for cell in row) else "a label is neither 0 nor 1"


def _stem(path: Path) -> str:
    return ENDINGS.sub("", path.stem.lower())
