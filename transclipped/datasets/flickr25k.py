"""Flickr25K: MIRFLICKR-25000, photographs of Flickr with 24 labels, several an image.

As distributed, `mirflickr25k.zip` unpacks to `mirflickr/im1.jpg` … `im25000.jpg` (and `doc/`, `meta/`), and
`mirflickr25k_annotations_v080.zip` to 38 files with the numbers of the images that carry a label:
24 *potential* labels such as `sky.txt`, visible at all, and 14 *relevant* ones such as `sky_r1.txt`, which matter to
the image. The hashing literature takes the 24; `annotations` of the configuration chooses the 14 or all 38 instead.

That literature passes on the 24 as a list of names beside a list of 24 columns, whose order `COLUMNS` gives. The list
itself names no column: the order is inferred from its counts, and from which columns imply which (clouds → sky,
tree → plant_life, portrait → people). Either source is enough; where both are there they are compared, which also
tells whether the order holds, and the annotations win.

Protocol: 2,000 queries, the rest (23,000) is the database, 5,000 of it train. 419 images carry no label: they
are searched, relevant to nobody, and never ask. mAP@5000.

References:
    Huiskes, Lew, "The MIR Flickr Retrieval Evaluation", MIR 2008. https://press.liacs.nl/mirflickr/
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transclipped.config import POTENTIAL, RELEVANT, DataConfig
from transclipped.datasets.labels.listed import ListedSet, Listing, assemble, below, merged
from transclipped.datasets.labels.lists import find_lists, kind_of, read_numbers
from transclipped.errors import InputError

N, N_QUERY, N_TRAIN, N_LABELS = 25_000, 2_000, 5_000, 24
URL = "https://press.liacs.nl/mirflickr/"
COLUMNS = (
    "people",
    "plant_life",
    "car",
    "portrait",
    "female",
    "indoor",
    "night",
    "baby",
    "structures",
    "clouds",
    "tree",
    "flower",
    "transport",
    "animals",
    "water",
    "dog",
    "sunset",
    "male",
    "food",
    "sea",
    "lake",
    "river",
    "sky",
    "bird",
)
STRICT = "_r1"  # ends the names of relevant labels
INFERRED = (
    "The list of labels names no column: the order of the 24 names is inferred from its counts, and from which labels "
    "imply which. MIRFLICKR's own annotation files beside it would show whether it holds."
)
LAYOUT = """\
mirflickr/
├── im1.jpg … im25000.jpg
└── annotations/             either the 38 files as distributed
    ├── animals.txt …
    └── water_r1.txt
flickr25k_img.txt            or the lists of the hashing literature
flickr25k_targets.txt"""


def load(config: DataConfig) -> ListedSet:
    """The images below `config.data`; lists may also lie in the folder `config.labels`.

    Raises:
        InputError: no labels, or hardly any image, are there.
    """
    root, found, skipped, texts = below(config)
    listing = _annotated(texts, config.annotations)
    lists = merged(find_lists(texts), canonical, width=N_LABELS)
    if listing is None and config.annotations != POTENTIAL:
        raise InputError(
            f"{root} holds no annotation files of MIRFLICKR with {config.annotations} labels, such as sky_r1.txt; put "
            f"mirflickr25k_annotations_v080 ({URL}) below it, or choose {POTENTIAL} annotations"
        )
    if listing is None:
        listing = lists
        listing.class_names = COLUMNS
        listing.notes.append(INFERRED)
    else:
        listing.roles, listing.notes = lists.roles, listing.notes + lists.notes
        listing.problems += lists.problems
        if config.annotations == POTENTIAL and lists.ids:
            listing.notes += _compared(listing, lists)
    if not listing.ids:
        raise InputError(
            f"{root} holds no labels of Flickr25K; put mirflickr25k_annotations_v080 ({URL}) or the lists "
            f"flickr25k_img.txt and flickr25k_targets.txt below it"
        )
    return assemble("mirflickr", root, found, skipped, listing, n_query=N_QUERY, n_train=N_TRAIN)


def canonical(name: str) -> str:
    """Id of a name in a list: the file's name, whatever folder the list's author had it in."""
    return name.rpartition("/")[2]


def _annotated(texts: list[Path], which: str) -> Listing | None:
    """All 25,000 numbers with the labels of the annotation files that are wanted; None if there are none."""
    files = {path.stem: path for path in sorted(texts) if kind_of(path) == "numbers"}
    strict = tuple(sorted(name for name in files if name.endswith(STRICT)))
    potential = tuple(sorted(files.keys() - set(strict)))
    names = {POTENTIAL: potential, RELEVANT: strict}.get(which, tuple(sorted(files)))
    if len(names) < 2 or (which != POTENTIAL and not strict):
        return None
    labels = np.zeros((N, len(names)), np.uint8)
    problems = []
    for column, name in enumerate(names):
        numbers, wrong = read_numbers(files[name], most=N)
        labels[numbers - 1, column] = 1
        problems += wrong
    notes = [] if which == RELEVANT else _odd_names(potential)
    sources = [f"{len(names)} annotation files in {files[names[0]].parent.name}/"]
    if strict and which == POTENTIAL:
        sources.append(f"({len(strict)} stricter ones, {STRICT}, are for annotations = {RELEVANT})")
    ids = [f"im{number}.jpg" for number in range(1, N + 1)]
    return Listing(ids=ids, labels=labels, class_names=names, problems=problems, sources=sources, notes=notes)


def _odd_names(potential: tuple[str, ...]) -> list[str]:
    """Notes of labels that are absent, and of those that the literature does not know."""
    notes = []
    if absent := sorted(set(COLUMNS) - set(potential)):
        notes.append(f"The annotations of {', '.join(absent)} are missing, so those labels are.")
    if unknown := sorted(set(potential) - set(COLUMNS)):
        notes.append(f"{', '.join(unknown)} are not among the 24 labels of the literature.")
    return notes


def _compared(truth: Listing, lists: Listing) -> list[str]:
    """Whether the columns of the lists, named by `COLUMNS`, say what the annotations say."""
    known = [name for name in COLUMNS if name in truth.class_names]
    rows = {name: row for row, name in enumerate(truth.ids)}
    pairs = np.array([(rows[name], i) for i, name in enumerate(lists.ids) if name in rows], np.int64).reshape(-1, 2)
    theirs = truth.labels[:, [truth.class_names.index(name) for name in known]][pairs[:, 0]]
    ours = lists.labels[:, [COLUMNS.index(name) for name in known]][pairs[:, 1]]
    agreed = int((theirs == ours).all(axis=1).sum())
    return [f"{agreed:,} of the lists' {len(lists.ids):,} images have the labels of the annotations."]
