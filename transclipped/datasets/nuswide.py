"""NUS-WIDE: photographs of Flickr with 81 concepts, of which retrieval uses the 21 most frequent.

As distributed: `ImageList/Imagelist.txt` names 269,648 images such as `actor\\0001_2124494179.jpg` (Windows
separators), `Groundtruth/AllLabels/Labels_<concept>.txt` has a 0/1 line for each, `ConceptsList/Concepts81.txt` the
names. The images are in a folder per keyword (`Flickr/actor/…`) or in one; many copies lack some that Flickr has taken
down. The hashing literature distributes lists of names with 21 columns (test, train, database), the same concepts in
alphabetical order; without the ground truth the columns have no names.

The distribution has the same labels a second time, by official halves: `ImageList/TrainImagelist.txt` (161,789
images) with `Groundtruth/TrainTestLabels/Labels_<concept>_Train.txt`, and the same for Test (107,859). If both exist
they are compared; without `AllLabels` the halves replace it. Retrieval does not use this split.

The concepts are counted, not listed by hand: `most_frequent`. Images with none of them (about 73,800) are left out.
Protocol: of the others (about 195,800), 2,100 are queries and the rest the database, of which 10,500 train; protocol
"listed" takes these roles from the lists. mAP@5000.

References:
    Chua et al., "NUS-WIDE: A Real-World Web Image Database from National University of Singapore", CIVR 2009.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.labels.listed import ListedSet, Listing, agreement, assemble, below, merge
from transclipped.datasets.labels.lists import IMAGE, find_lists, lines_of, read_marks
from transclipped.errors import InputError

N, N_QUERY, N_TRAIN, N_LABELS, N_CONCEPTS = 269_648, 2_100, 10_500, 21, 81
HALVES = ("Train", "Test")
URL = "https://lms.comp.nus.edu.sg/wp-content/uploads/2019/research/nuswide/NUS-WIDE.html"
LAYOUT = """\
NUS-WIDE/
├── ImageList/Imagelist.txt                     either the ground truth (or that of the
├── Groundtruth/AllLabels/Labels_animal.txt …   halves, TrainTestLabels/)
├── ConceptsList/Concepts81.txt
├── nuswide_test.txt, nuswide_database.txt …    or the lists of the hashing literature
└── Flickr/
    ├── actor/0001_2124494179.jpg               nested by keyword,
    └── 0001_2124494179.jpg                     or flat"""


def load(config: DataConfig) -> ListedSet:
    """The images below `config.data`; lists can also be in the folder `config.labels`.

    Raises:
        InputError: there are no labels, fewer than two images, or the ground truth is inconsistent.
    """
    root, files, skipped, texts = below(config)
    listing = _ground_truth(texts)
    lists = merge(find_lists(texts), canonical, width=N_LABELS)
    if listing is None:
        listing = lists
        listing.class_names = tuple(f"label {i}" for i in range(1, N_LABELS + 1))
        listing.notes.append("The lists do not name their 21 labels; NUS-WIDE's ground truth does.")
    else:
        listing.roles = lists.roles
        listing.problems += lists.problems
        listing.notes += [*lists.notes, *([agreement(listing, lists, listing.class_names)] if lists.ids else [])]
    if not listing.ids:
        raise InputError(
            f"{root} holds no labels of NUS-WIDE; add its ImageList/ and Groundtruth/AllLabels/ ({URL}), or lists "
            f"such as nuswide_test.txt and nuswide_database.txt"
        )
    return assemble("nuswide", root, files, skipped, listing, n_query=N_QUERY, n_train=N_TRAIN)


def canonical(name: str) -> str:
    """Id of a name in a list: keyword and file, or the file alone, without other folders."""
    return "/".join(name.split("/")[-2:])


def most_frequent(counts: dict[str, int], n: int) -> tuple[str, ...]:
    """The `n` concepts with the most images, ties by name, in alphabetical order."""
    return tuple(sorted(sorted(counts, key=lambda name: (-counts[name], name))[:n]))


@dataclass(frozen=True, kw_only=True)
class _Truth:
    """Labels of all images: ids `N`, empty for a line without an image; marks `[N]` by concept."""

    ids: list[str]
    marks: dict[str, np.ndarray]
    problems: list[tuple[str, str]]
    sources: list[str]
    notes: list[str] = field(default_factory=list)


def _ground_truth(texts: list[Path]) -> Listing | None:
    """Images with at least one of the 21 most frequent concepts; None without ground truth."""
    halves = _halves(texts)
    truth = _whole(texts, refuse=halves is None) or halves
    if truth is None:
        return None
    counts = {name: int(column.sum()) for name, column in truth.marks.items()}
    chosen = most_frequent(counts, N_LABELS)
    labels = np.stack([truth.marks[name] for name in chosen], axis=1)
    labelled = labels.any(axis=1)
    notes = [*truth.notes, *_absent(texts, truth.marks)]
    if halves is not None and halves is not truth:
        notes.append(_agreement(truth, halves, chosen))
    notes.append(
        f"{int((~labelled).sum()):,} of {len(labels):,} images have none of the {N_LABELS} concepts and are left out."
    )
    rows = np.flatnonzero(labelled & np.array([bool(name) for name in truth.ids]))
    return Listing(
        ids=[truth.ids[row] for row in rows],
        labels=labels[rows],
        class_names=chosen,
        problems=truth.problems,
        sources=truth.sources,
        notes=notes,
    )


def _whole(texts: list[Path], *, refuse: bool) -> _Truth | None:
    """`Imagelist.txt` with `AllLabels`; None if both are missing, or one, unless `refuse` makes that an error."""
    files = {
        p.stem.removeprefix("Labels_"): p
        for p in texts
        if p.name.startswith("Labels_") and not any(_of_half(p, half) for half in HALVES)
    }
    names = _named(texts, "Imagelist.txt")
    if not files or names is None:
        if refuse and (files or names):
            missing = "Groundtruth/AllLabels/Labels_<concept>.txt" if names else "ImageList/Imagelist.txt"
            raise InputError(f"NUS-WIDE's ground truth lacks {missing}; unpack it too ({URL}), or remove the rest")
        return None
    ids, problems = _image_list(names)
    marks, notes = _marks(files, len(ids))
    sources = [names.name, f"{len(files)} concept files in {next(iter(files.values())).parent.name}/"]
    return _Truth(ids=ids, marks=marks, problems=problems, sources=sources, notes=notes)


def _halves(texts: list[Path]) -> _Truth | None:
    """Both official halves, in the order of `Imagelist.txt` if it exists; None without them.

    Concepts that are missing from a half, or whose length is wrong, are left out.
    """
    names = [_named(texts, f"{half}Imagelist.txt") for half in HALVES]
    files = [
        {p.stem.removeprefix("Labels_").removesuffix(f"_{half}"): p for p in texts if _of_half(p, half)}
        for half in HALVES
    ]
    both = sorted(files[0].keys() & files[1].keys())
    if None in names or len(both) < N_LABELS:
        return None
    lists = [_image_list(path) for path in names]
    columns = {name: [read_marks(part[name]) for part in files] for name in both}
    lengths = [len(ids) for ids, _ in lists]
    fitting = {name: parts for name, parts in columns.items() if [len(part) for part in parts] == lengths}
    if len(fitting) < N_LABELS:
        return None
    ids = [name for part, _ in lists for name in part]
    order, notes = _as_listed(ids, _named(texts, "Imagelist.txt"))
    return _Truth(
        ids=[ids[row] for row in order],
        marks={name: np.concatenate(parts)[order] for name, parts in fitting.items()},
        problems=[problem for _, problems in lists for problem in problems],
        sources=[*(path.name for path in names), f"{2 * len(fitting)} concept files of the official halves"],
        notes=notes,
    )


def _as_listed(ids: list[str], whole: Path | None) -> tuple[np.ndarray, list[str]]:
    """Rows of `ids` in the order of the whole list, on which random draws depend; and a note if it is missing."""
    if whole is None:
        note = "ImageList/Imagelist.txt is missing: the protocol draws other rows than with it."
        return np.arange(len(ids)), [note]
    position = {name: row for row, name in enumerate(_image_list(whole)[0])}
    return np.argsort([position.get(name, len(position)) for name in ids], kind="stable"), []


def _agreement(truth: _Truth, halves: _Truth, concepts: tuple[str, ...]) -> str:
    """Whether both sources give the same labels to the same images."""
    row_of = {name: row for row, name in enumerate(truth.ids) if name}
    pairs = [(row_of[name], row) for row, name in enumerate(halves.ids) if name in row_of]
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    names = [name for name in concepts if name in halves.marks]
    differ = sum(int((truth.marks[name][first] != halves.marks[name][second]).sum()) for name in names)
    result = f"differ in {differ:,} labels; AllLabels is used" if differ else "have the same labels there"
    return f"{len(pairs):,} of {len(row_of):,} images are also in the official halves and {result}."


def _named(texts: list[Path], name: str) -> Path | None:
    """The first text with a name, in upper or lower case."""
    return next((path for path in texts if path.name.lower() == name.lower()), None)


def _of_half(path: Path, half: str) -> bool:
    return path.name.startswith("Labels_") and path.stem.endswith(f"_{half}")


def _image_list(path: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """Ids by line, empty for a line without an image; and (line, reason) of those."""
    lines = [line.strip().replace("\\", "/") for line in lines_of(path)]
    while lines and not lines[-1]:
        lines.pop()
    ids, problems, seen = [], [], set()
    for i, name in enumerate(lines, start=1):
        identity = canonical(name)
        reason = f"{identity} is listed twice; the first line is used" if identity in seen else None
        if not IMAGE.search(name) or ".." in name.split("/"):
            reason = "it names no image below the folder"
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
            notes.append(f"{path.name} has {len(column):,} lines for {n:,} images; the concept is left out.")
    if len(marks) < N_LABELS:
        raise InputError(
            f"only {len(marks)} concept files fit the {n:,} images of Imagelist.txt, {N_LABELS} are needed "
            f"({notes[0] if notes else 'the others are missing'}); unpack NUS-WIDE's ground truth again"
        )
    return marks, notes


def _absent(texts: list[Path], marks: dict[str, np.ndarray]) -> list[str]:
    names = _named(texts, f"Concepts{N_CONCEPTS}.txt")
    absent = [name for name in " ".join(lines_of(names)).split() if name not in marks] if names else []
    note = f"The files of {', '.join(absent)} are missing: if one is frequent, another concept replaces it."
    return [note] if absent else []
