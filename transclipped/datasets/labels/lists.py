"""Label lists of the hashing literature and of the two Flickr collections, as people have them beside the images.

Four formats, recognised by their first line:

    rows      im7.jpg 0 1 0 …          an image and its 0/1 labels; NUS-WIDE's test, train and database lists
    names     im7.jpg                  images alone, whose labels are in …
    targets   0 1 0 …                  … a file with as many lines, beside it; Flickr25K's pair of lists
    numbers   7                        images that carry the label the file is named after; MIRFLICKR's annotations

NUS-WIDE's own ground truth has a file of 0/1 lines for each concept (`read_marks`). A line that makes no sense is
named in `problems` and left out; what would shift all following lines is refused.
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
CROWD = 200  # text files in one folder that are no label lists: MIRFLICKR has 25,000 files of tags
ENDINGS = re.compile(r"[_-]?(imgs?|images?|names?|targets?|labels?|onehot|one_hot)(?=[_.-]|$)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class LabelList:
    """Images with their labels, read from one list or a pair of them.

    Attributes:
        path: of the list, of its names for a pair.
        names: `n` names as they are written, but with forward slashes.
        labels: `[n, L]` uint8, 0 or 1.
        role: "query", "database" or "train" where the file's name tells, else None.
        problems: (name or line, reason) of lines that are left out.
    """

    path: Path
    names: list[str]
    labels: np.ndarray
    role: str | None
    problems: list[tuple[str, str]]


def text_files(root: Path, ids: list[str]) -> list[Path]:
    """Paths of the `.txt` files among `ids`, but for those in folders that hold a crowd of them."""
    texts = [root / name for name in ids if name.lower().endswith(".txt")]
    crowd = Counter(path.parent for path in texts)
    return [path for path in texts if crowd[path.parent] <= CROWD]


def find_lists(paths: list[Path]) -> list[LabelList]:
    """All rows and pairs among some text files, in the order of their paths.

    Raises:
        InputError: a list cannot be read, or the two of a pair have different lengths.
    """
    kinds = {path: kind_of(path) for path in sorted(paths)}
    lists = [read_rows(path) for path, kind in kinds.items() if kind == "rows"]
    for names in (path for path, kind in kinds.items() if kind == "names"):
        beside = [path for path, kind in kinds.items() if kind == "targets" and path.parent == names.parent]
        partner = next((path for path in beside if _stem(path) == _stem(names)), None)
        if partner is not None:
            lists.append(read_pair(names, partner))
    return sorted(lists, key=lambda found: found.path)


def kind_of(path: Path) -> str:
    """`rows`, `names`, `targets`, `numbers` or `other`, by the first line that is not empty."""
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


def read_rows(path: Path) -> LabelList:
    """A list of `rows`."""
    lines = [line.replace(",", " ").split() for line in lines_of(path)]
    names = [cells[0].replace("\\", "/") if cells else "" for cells in lines]
    return _checked(path, path, names, [cells[1:] for cells in lines])


def read_pair(names: Path, targets: Path) -> LabelList:
    """A list of `names` and the list of their `targets`."""
    images = [line.strip().replace("\\", "/") for line in lines_of(names)]
    rows = [line.replace(",", " ").split() for line in lines_of(targets)]
    if len(images) != len(rows):
        raise InputError(
            f"{names} has {len(images):,} lines, {targets} {len(rows):,}; they go together line by line: "
            f"get both from the same place"
        )
    return _checked(names, targets, images, rows)


def read_numbers(path: Path, *, most: int) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Numbers of images, 1 … `most`, from an annotation file; and (line, reason) of those that are none."""
    numbers, problems = [], []
    for i, line in enumerate(lines_of(path), start=1):
        text = line.strip()
        if text.isdecimal() and 1 <= int(text) <= most:
            numbers.append(int(text))
        elif text:
            problems.append((f"{path.name} line {i}", f"there is no image number from 1 to {most:,}"))
    return np.unique(np.array(numbers, np.int64)), problems


def read_marks(path: Path) -> np.ndarray:
    """0/1 lines `[n]` uint8 of one concept.

    Raises:
        InputError: it cannot be read, or holds anything else.
    """
    try:
        marks = np.frombuffer(b"".join(path.read_bytes().split()), np.uint8) - ord("0")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    if (marks > 1).any():
        raise InputError(f"{path} must hold one 0 or 1 a line; unpack NUS-WIDE's ground truth again")
    return marks


def role_of(path: Path) -> str | None:
    """Role that a file's name tells, such as "query" for nuswide_test.txt."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    return next((role for word, role in ROLES.items() if word in words), None)


def lines_of(path: Path) -> list[str]:
    """Lines of a text; bytes that are no UTF-8 are shown as such."""
    try:
        return path.read_text(encoding="utf-8-sig", errors="backslashreplace").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _checked(path: Path, marked: Path, names: list[str], rows: list[list[str]]) -> LabelList:
    """Lines with an image, as many labels as most others, and nothing but 0 and 1."""
    width = Counter(len(row) for row in rows if row).most_common(1)
    width = width[0][0] if width else 0
    kept, marks, problems, seen = [], [], [], set()
    for i, (name, row) in enumerate(zip(names, rows, strict=True), start=1):
        if not name and not row:
            continue
        reason = _fault(name, row, width)
        if reason is None and name in seen:
            reason = "the image is there twice; the first line counts"
        if reason is not None:
            known = name if IMAGE.search(name) else f"line {i}"  # not what a line of something else holds
            problems.append((known, f"{marked.name} line {i}: {reason}"))
            continue
        seen.add(name)
        kept.append(name)
        marks += row
    labels = np.frombuffer("".join(marks).encode(), np.uint8) - ord("0")
    return LabelList(
        path=path, names=kept, labels=labels.reshape(len(kept), width), role=role_of(path), problems=problems
    )


def _fault(name: str, row: list[str], width: int) -> str | None:
    if not name:
        return "no image is named"
    if ".." in name.split("/"):
        return "its path leads out of the folder"
    if len(row) != width:
        return f"{len(row)} labels, the other lines have {width}"
    return None if all(cell in ("0", "1") for cell in row) else "a label is neither 0 nor 1"


def _stem(path: Path) -> str:
    return ENDINGS.sub("", path.stem.lower())
