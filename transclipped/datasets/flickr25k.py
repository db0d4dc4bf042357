"""Flickr25K: MIRFLICKR-25000, photographs of Flickr with 24 labels, several a picture.

As distributed, `mirflickr25k.zip` unpacks to `mirflickr/im1.jpg` … `im25000.jpg` (and `doc/`, `meta/`), and
`mirflickr25k_annotations_v080.zip` to 38 files with the numbers of the pictures that carry a label:
24 such as `sky.txt`, and 14 stricter ones such as `sky_r1.txt`, which the hashing literature leaves out. That
literature passes on the same labels as a list of names beside a list of 24 columns, whose order `COLUMNS` gives: the
list itself names no column, but its counts, and which columns imply which (clouds → sky, tree → plant_life,
portrait → people), leave one reading. Either is enough; the annotations win where both are there.

Protocol: 2,000 queries, the rest (23,000) is the database, 5,000 of it train. 419 pictures carry no label: they
are searched, relevant to nobody, and never ask. mAP@5000.

References:
    Huiskes, Lew, "The MIR Flickr Retrieval Evaluation", MIR 2008. https://press.liacs.nl/mirflickr/
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.labels import find_lists, kind_of, read_numbers
from transclipped.datasets.listed import ListedSet, Listing, assemble, below, merged
from transclipped.errors import InputError

N, N_QUERY, N_TRAIN, N_LABELS = 25_000, 2_000, 5_000, 24
URL = "https://press.liacs.nl/mirflickr/"
COLUMNS = (
    "people", "plant_life", "car", "portrait", "female", "indoor", "night", "baby", "structures", "clouds", "tree",
    "flower", "transport", "animals", "water", "dog", "sunset", "male", "food", "sea", "lake", "river", "sky", "bird",
)  # fmt: skip
LAYOUT = """\
mirflickr/
├── im1.jpg … im25000.jpg
└── annotations/             either the 38 files as distributed
    ├── animals.txt …
    └── water_r1.txt
flickr25k_img.txt            or the lists of the hashing literature
flickr25k_targets.txt"""


def load(config: DataConfig) -> ListedSet:
    """The pictures below `config.data`; lists may also lie in the folder `config.labels`.

    Raises:
        InputError: no labels, or hardly any picture, are there.
    """
    root, found, skipped, texts = below(config)
    listing = _annotated(texts)
    lists = merged(find_lists(texts), canonical, width=N_LABELS)
    if listing is None:
        listing = lists
        listing.class_names = COLUMNS
    else:
        listing.roles, listing.notes = lists.roles, listing.notes + lists.notes
        listing.problems += lists.problems
    if not listing.ids:
        raise InputError(
            f"{root} holds no labels of Flickr25K; put mirflickr25k_annotations_v080 ({URL}) or the lists "
            f"flickr25k_img.txt and flickr25k_targets.txt below it"
        )
    return assemble("mirflickr", root, found, skipped, listing, n_query=N_QUERY, n_train=N_TRAIN)


def canonical(name: str) -> str:
    """Id of a name in a list: the file's name, whatever folder the list's author had it in."""
    return name.rpartition("/")[2]


def _annotated(texts: list[Path]) -> Listing | None:
    """All 25,000 numbers with the labels of the annotation files; None if there are none."""
    files = {path.stem: path for path in sorted(texts) if kind_of(path) == "numbers"}
    names = tuple(sorted(name for name in files if not name.endswith("_r1")))
    if len(names) < 2:
        return None
    labels = np.zeros((N, len(names)), np.uint8)
    problems = []
    for column, name in enumerate(names):
        numbers, wrong = read_numbers(files[name], most=N)
        labels[numbers - 1, column] = 1
        problems += wrong
    notes = []
    if absent := sorted(set(COLUMNS) - set(names)):
        notes.append(f"The annotations of {', '.join(absent)} are missing, so those labels are.")
    if unknown := sorted(set(names) - set(COLUMNS)):
        notes.append(f"{', '.join(unknown)} are not among the 24 labels of the literature.")
    strict = sum(name.endswith("_r1") for name in files)
    sources = [f"{len(names)} annotation files in {files[names[0]].parent.name}/"]
    if strict:
        sources.append(f"({strict} stricter ones, _r1, are not used)")
    ids = [f"im{number}.jpg" for number in range(1, N + 1)]
    return Listing(ids=ids, labels=labels, class_names=names, problems=problems, sources=sources, notes=notes)
