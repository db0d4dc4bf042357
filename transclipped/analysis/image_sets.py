"""Samples, labels and near-duplicates of an image set, for the page Data sets."""

import numpy as np

from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split
from transclipped.datasets.sampling import shuffled


def sample(images: ImageSet, n: int, *, label: str | None = None, page: int = 0) -> np.ndarray:
    """Rows `[≤ n]` int64: a page of `n` of the images with a label (None: all) in random order; pages wrap around."""
    rows = shuffled(rows_of_label(images, label), seed=0, purpose="samples")
    if not len(rows):
        return rows
    start = page % -(-len(rows) // n) * n
    return rows[start : start + n]


def rows_of_label(images: ImageSet, label: str | None) -> np.ndarray:
    """Rows of the images with a label; all for None, none for an unknown label."""
    if label is None:
        return np.arange(len(images))
    if label not in images.class_names:
        return np.empty(0, np.int64)
    column = images.class_names.index(label)
    has = images.labels == column if images.labels.ndim == 1 else images.labels[:, column] > 0
    return np.flatnonzero(has)


def labels_of(images: ImageSet, row: int) -> list[str]:
    """Names of the labels of an image; empty without."""
    if images.labels is None:
        return []
    if images.labels.ndim == 1:
        return [images.class_names[images.labels[row]]] if images.labels[row] >= 0 else []
    return [images.class_names[column] for column in np.flatnonzero(images.labels[row])]


def label_sentence(images: ImageSet) -> str:
    """Description of the labels in a sentence."""
    if images.labels is None:
        return "The images have no labels: training and search need none, but retrieval quality cannot be measured."
    n = int((~images.labelled).sum())
    unlabelled = f" {n:,} have none: they are searched, but never relevant and never queries." if n else ""
    if images.label_kind == "single":
        return f"Each image has one of {len(images.class_names):,} classes.{unlabelled}"
    mean = float(images.labels.sum(1).mean())
    return (
        f"An image has {mean:.1f} of {len(images.class_names):,} labels on average; two images are relevant to "
        f"each other if they share one.{unlabelled}"
    )


def across(groups: list[list[str]], images: ImageSet, split: Split) -> int:
    """Groups of near-duplicate ids (as text) with a query and a database image: such queries are too easy."""
    ids = images.ids.astype(str)
    queries, database = set(ids[split.query].tolist()), set(ids[split.database].tolist())
    return sum(bool(queries.intersection(group)) and bool(database.intersection(group)) for group in groups)
