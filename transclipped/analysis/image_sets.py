"""What the page of data sets tells of a set: samples, counts of its labels, lookalikes on both sides of a split."""

from __future__ import annotations

import numpy as np

from transclipped.datasets.base import ImageSet
from transclipped.datasets.protocols import Split
from transclipped.datasets.sampling import shuffled


def sample(images: ImageSet, n: int, *, label: str | None = None, page: int = 0) -> np.ndarray:
    """Rows `[≤ n]` int64 of a random order of the images that carry a label; `page` counts on in that order.

    Args:
        label: name of a class, None for all images.
        page: from 0; after the last rows it begins again.
    """
    rows = shuffled(rows_with(images, label), seed=0, purpose="samples")
    if not len(rows):
        return rows
    pages = -(-len(rows) // n)
    start = page % pages * n
    return rows[start : start + n]


def rows_with(images: ImageSet, label: str | None) -> np.ndarray:
    """Rows of the images that carry a label, all for None; none if there is no such label."""
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
    """How the images are labelled, in a sentence."""
    if images.labels is None:
        return "The images have no labels: training and search need none, but retrieval cannot be measured."
    bare = int((~images.labelled).sum())
    nobody = f" {bare:,} have none: they are searched, relevant to nobody, and never ask." if bare else ""
    if images.label_kind == "single":
        return f"Each image is of one of {len(images.class_names):,} classes.{nobody}"
    mean = float(images.labels.sum(1).mean())
    return (
        f"An image carries {mean:.1f} of {len(images.class_names):,} labels on average; two images are relevant to "
        f"each other if they share one.{nobody}"
    )


def across(groups: list[list[str]], images: ImageSet, split: Split) -> int:
    """Groups of lookalikes with a query on one side and a database image on the other: those are found too easily.

    Args:
        groups: ids as text, as in a report.
    """
    ids = images.ids.astype(str)
    asks, searched = set(ids[split.query].tolist()), set(ids[split.database].tolist())
    return sum(bool(asks.intersection(group)) and bool(searched.intersection(group)) for group in groups)
