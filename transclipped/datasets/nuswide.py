"""NUS-WIDE: photographs of Flickr with 81 concepts, of which retrieval uses the 21 most frequent.

As distributed: `ImageList/Imagelist.txt` names 269,648 pictures such as `actor\\0001_2124494179.jpg` (Windows
separators), `Groundtruth/AllLabels/Labels_<concept>.txt` holds a 0/1 line for each, `ConceptsList/Concepts81.txt`
the names. The pictures come in a folder of keywords (`Flickr/actor/…`) or flat; many disks lack some, since Flickr
took them down. The hashing literature passes on lists of names with 21 columns (test, train, database), in which
the same concepts stand in alphabetical order; without the ground truth the columns have no names.

The concepts are counted, not listed by hand: `most_frequent`. Pictures with none of them (about 73,800) take no
part. Protocol: of the rest (about 195,800) 2,100 ask, the others are searched, 10,500 of them train; protocol
"listed" takes these roles from the lists. mAP@5000.

References:
    Chua et al., "NUS-WIDE: A Real-World Web Image Database from National University of Singapore", CIVR 2009.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.labels import PICTURE, find_lists, lines_of, read_marks
from transclipped.datasets.listed import ListedSet, Listing, assemble, below, merged
from transclipped.errors import InputError

N, N_QUERY, N_TRAIN, N_LABELS, N_CONCEPTS = 269_648, 2_100, 10_500, 21, 81
URL = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html"
LAYOUT = """\
NUS-WIDE/
├── ImageList/Imagelist.txt                     either the ground truth
├── Groundtruth/AllLabels/Labels_animal.txt …
├── ConceptsList/Concepts81.txt
├── nuswide_test.txt, nuswide_database.txt …    or the lists of the hashing literature
└── Flickr/
    ├── actor/0001_2124494179.jpg               nested by keyword,
    └── 0001_2124494179.jpg                     or flat"""


def load(config: DataConfig) -> ListedSet:
    """The pictures below `config.data`; lists may also lie in the folder `config.labels`.

    Raises:
        InputError: no labels, or hardly any picture, are there; or ground truth that does not fit together.
    """
    root, found, skipped, texts = below(config)
    listing = _ground_truth(texts)
    lists = merged(find_lists(texts), canonical, width=N_LABELS)
    if listing is None:
        listing = lists
        listing.class_names = tuple(f"label {i}" for i in range(1, N_LABELS + 1))
        listing.notes.append("The lists do not name their 21 labels; NUS-WIDE's own ground truth would.")
    else:
        listing.roles = lists.roles
        listing.problems += lists.problems
        listing.notes += [*lists.notes, *_compared(listing, lists)]
    if not listing.ids:
        raise InputError(
            f"{root} holds no labels of NUS-WIDE; put its ImageList/ and Groundtruth/AllLabels/ ({URL}), or lists "
            f"such as nuswide_test.txt and nuswide_database.txt, below it"
        )
    return assemble("nuswide", root, found, skipped, listing, n_query=N_QUERY, n_train=N_TRAIN)


def canonical(name: str) -> str:
    """Id of a name in a list: keyword and file, or the file alone, whatever folders stand before them."""
    return "/".join(name.split("/")[-2:])


def most_frequent(counts: dict[str, int], n: int) -> tuple[str, ...]:
    """The `n` concepts with the most pictures, ties by name, in alphabetical order."""
    return tuple(sorted(sorted(counts, key=lambda name: (-counts[name], name))[:n]))


def _ground_truth(texts: list[Path]) -> Listing | None:
    """Pictures with at least one of the 21 most frequent concepts; None without ground truth."""
    files = {p.stem.removeprefix("Labels_"): p for p in texts if _of_all(p)}
    names = next((path for path in texts if path.name.lower() == "imagelist.txt"), None)
    if not files and names is None:
        return None
    if not files or names is None:
        lacking = "Groundtruth/AllLabels/Labels_<concept>.txt" if names else "ImageList/Imagelist.txt"
        raise InputError(f"NUS-WIDE's ground truth lacks {lacking}; unpack it too ({URL}), or take away the rest")
    ids, problems = _image_list(names)
    marks, notes = _marks(files, len(ids))
    counts = {name: int(column.sum()) for name, column in marks.items()}
    chosen = most_frequent(counts, N_LABELS)
    labels = np.stack([marks[name] for name in chosen], axis=1)
    part = labels.any(axis=1)
    proper = np.array([bool(name) for name in ids])
    notes += _absent(texts, files)
    notes.append(
        f"{int((~part).sum()):,} of {len(ids):,} pictures have none of the {N_LABELS} concepts; they stay out."
    )
    kept = np.flatnonzero(part & proper)
    return Listing(
        ids=[ids[row] for row in kept],
        labels=labels[kept],
        class_names=chosen,
        problems=problems,
        sources=[names.name, f"{len(files)} concept files in {next(iter(files.values())).parent.name}/"],
        notes=notes,
    )


def _of_all(path: Path) -> bool:
    """Whether a file marks all pictures, and not only the official training or test half."""
    return path.name.startswith("Labels_") and not path.stem.endswith(("_Train", "_Test"))


def _image_list(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Ids line by line, empty where a line names no picture; and (line, reason) of those."""
    lines = [line.strip().replace("\\", "/") for line in lines_of(path)]
    while lines and not lines[-1]:
        lines.pop()
    ids, problems, seen = [], [], set()
    for i, name in enumerate(lines, start=1):
        identity = canonical(name)
        reason = None
        if not PICTURE.search(name) or ".." in name.split("/"):
            reason = f"{name[:60]!r} names no picture below the folder"
        elif identity in seen:
            reason = f"{identity} is there twice; the first line counts"
        if reason:
            problems.append((f"{path.name} line {i}", reason))
        seen.add(identity)
        ids.append("" if reason else identity)
    return ids, problems


def _marks(files: dict[str, Path], n: int) -> tuple[dict[str, np.ndarray], list[str]]:
    """Columns `[n]` by concept, and a note for each file that does not fit the list."""
    marks, notes = {}, []
    for name, path in sorted(files.items()):
        column = read_marks(path)
        if len(column) == n:
            marks[name] = column
        else:
            notes.append(f"{path.name} has {len(column):,} lines for {n:,} pictures; the concept is left out.")
    if len(marks) < N_LABELS:
        raise InputError(
            f"only {len(marks)} concept files fit the {n:,} pictures of Imagelist.txt, {N_LABELS} are needed "
            f"({notes[0] if notes else 'the others are not there'}); unpack NUS-WIDE's ground truth again"
        )
    return marks, notes


def _absent(texts: list[Path], files: dict[str, Path]) -> list[str]:
    names = next((path for path in texts if path.name == f"Concepts{N_CONCEPTS}.txt"), None)
    if names is None:
        return []
    absent = [name for name in " ".join(lines_of(names)).split() if name not in files]
    if not absent:
        return []
    return [f"AllLabels lacks the files of {', '.join(absent)}: if one of them is frequent, another took its place."]


def _compared(truth: Listing, lists: Listing) -> list[str]:
    """Whether the lists say the same as the ground truth of the same pictures."""
    if not lists.ids:
        return []
    rows = {name: row for row, name in enumerate(truth.ids)}
    both = [(rows[name], i) for i, name in enumerate(lists.ids) if name in rows]
    agreed = Counter(bool((truth.labels[row] == lists.labels[i]).all()) for row, i in both)[True]
    return [f"{agreed:,} of the lists' {len(lists.ids):,} pictures have the labels of the ground truth."]
