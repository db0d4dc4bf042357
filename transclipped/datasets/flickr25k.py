"""Flickr25K: MIRFLICKR-25000, photographs of Flickr with 24 labels, several per image.

As distributed, `mirflickr25k.zip` unpacks to `mirflickr/im1.jpg` … `im25000.jpg` (and `doc/`, `meta/`), and
`mirflickr25k_annotations_v080.zip` to 38 files with the numbers of the images of a label: 24 *potential* labels such as
`sky.txt` (visible at all) and 14 *relevant* ones such as `sky_r1.txt` (important in the image). The hashing literature
uses the 24; `annotations` of the configuration selects the 14 or all 38 instead.

That literature distributes the 24 as a list of names and a list of 24 columns without headings. `COLUMNS` gives their
order, inferred from the counts and from which columns imply which (clouds → sky, tree → plant_life, portrait → people).
One source is enough; if both exist they are compared, which also checks the order, and the annotations take precedence.

Protocol: 2,000 queries; the other 23,000 are the database, and 5,000 of them train. 419 images have no label: they are
in the database, relevant to no query, and never queries. mAP@5000.

References:
    Huiskes, Lew, "The MIR Flickr Retrieval Evaluation", MIR 2008. https://press.liacs.nl/mirflickr/
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from transclipped.config import POTENTIAL, RELEVANT, DataConfig
from transclipped.datasets.labels.listed import ListedSet, Listing, agreement, assemble, below, merge
from transclipped.datasets.labels.lists import find_lists, kind_of, read_numbers
from transclipped.errors import InputError

N, N_QUERY, N_TRAIN, N_LABELS = 25_000, 2_000, 5_000, 24
URL = "https://press.liacs.nl/mirflickr/"
_COLUMNS = (
    "people plant_life car portrait female indoor night baby structures clouds tree flower transport animals water dog "
    "sunset male food sea lake river sky bird"
)
COLUMNS = tuple(_COLUMNS.split())
STRICT = "_r1"  # suffix of relevant labels
INFERRED = (
    "The list of labels has no headings: the order of the 24 names is inferred from its counts and from which labels "
    "imply which. Add MIRFLICKR's annotation files to check it."
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
    """The images below `config.data`; lists can also be in the folder `config.labels`.

    Raises:
        InputError: there are no labels, or fewer than two images.
    """
    root, files, skipped, texts = below(config)
    listing = _annotated(texts, config.annotations)
    lists = merge(find_lists(texts), canonical, width=N_LABELS)
    if listing is None and config.annotations != POTENTIAL:
        raise InputError(
            f"{root} holds no MIRFLICKR annotation files with {config.annotations} labels, such as sky_r1.txt; add "
            f"mirflickr25k_annotations_v080 ({URL}) to it, or choose {POTENTIAL} annotations"
        )
    if listing is None:
        listing = lists
        listing.class_names = COLUMNS
        listing.notes.append(INFERRED)
    else:
        listing.roles, listing.notes = lists.roles, listing.notes + lists.notes
        listing.problems += lists.problems
        if config.annotations == POTENTIAL and lists.ids:
            listing.notes.append(agreement(listing, lists, COLUMNS))
    if not listing.ids:
        raise InputError(
            f"{root} holds no labels of Flickr25K; add mirflickr25k_annotations_v080 ({URL}) or the lists "
            f"flickr25k_img.txt and flickr25k_targets.txt to it"
        )
    return assemble("mirflickr", root, files, skipped, listing, n_query=N_QUERY, n_train=N_TRAIN)


def canonical(name: str) -> str:
    """Id of a name in a list: the file name without folders."""
    return name.rpartition("/")[2]


def _annotated(texts: list[Path], which: str) -> Listing | None:
    """All 25,000 images with the labels of `which` annotation files; None if there are none."""
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
    notes = []
    if which != RELEVANT and (absent := sorted(set(COLUMNS) - set(potential))):
        notes.append(f"The annotation files of {', '.join(absent)} are missing; these labels are left out.")
    if which != RELEVANT and (unknown := sorted(set(potential) - set(COLUMNS))):
        notes.append(f"{', '.join(unknown)} are not among the 24 labels of the literature.")
    sources = [f"{len(names)} annotation files in {files[names[0]].parent.name}/"]
    if strict and which == POTENTIAL:
        sources.append(f"({len(strict)} files of {RELEVANT} labels, {STRICT}, are not used)")
    ids = [f"im{number}.jpg" for number in range(1, N + 1)]
    return Listing(ids=ids, labels=labels, class_names=names, problems=problems, sources=sources, notes=notes)
