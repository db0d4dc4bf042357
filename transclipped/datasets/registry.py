"""Data sets by name, and their description.

A new data set is a module with `load(config) -> ImageSet` and a line in `_SETS`. Modules are imported on demand, since
importing torch takes seconds.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from transclipped.config import POTENTIAL, DataConfig
from transclipped.errors import InputError

if TYPE_CHECKING:
    from transclipped.datasets.base import ImageSet
    from transclipped.datasets.protocols import Split

# name: (module, short description)
_SETS = {
    "cifar10": ("transclipped.datasets.cifar10", "60,000 images of 32 × 32 pixels in 10 classes; bundled"),
    "caltech101": ("transclipped.datasets.caltech101", "3,030 photographs in 101 classes; bundled"),
    "collage": ("transclipped.datasets.collage", "2,525 pairs of Caltech-101 photographs, two labels each; bundled"),
    "walk": (
        "transclipped.datasets.walk",
        "1,000 frames of a walk along photographs; the last 300 return to earlier places",
    ),
    "mirflickr": ("transclipped.datasets.flickr25k", "Flickr25K: 25,000 photographs, 24 labels, several per image"),
    "nuswide": ("transclipped.datasets.nuswide", "NUS-WIDE: 195,834 photographs with the 21 most frequent labels"),
    "fashionmnist": ("transclipped.datasets.fashion_mnist", "Fashion-MNIST: 70,000 grey images of 10 kinds of clothes"),
    "folder": ("transclipped.datasets.folder", "a folder of your own images, with or without labels"),
    "embeddings": ("transclipped.datasets.embeddings", "existing embeddings, in a .npy, .npz or parquet file"),
}
_ALIASES = {"flickr25k": "mirflickr", "nus-wide": "nuswide", "fashion-mnist": "fashionmnist"}
_LISTED = ("mirflickr", "nuswide")  # images are named by lists, and searched for in all sub-folders
_FILES = ("folder", *_LISTED)
_LABELS = ("folder", "embeddings", "mirflickr", "nuswide")  # accept a file or folder of labels


def names() -> dict[str, str]:
    """All data sets: name and short description."""
    return {name: what for name, (_, what) in _SETS.items()}


def load(config: DataConfig) -> ImageSet:
    """The data set of a configuration.

    Raises:
        InputError: the name is unknown, labels do not apply, or files are missing or damaged.
    """
    module = _entry(config.dataset)[0]
    if config.labels is not None and _canonical(config.dataset) not in _LABELS:
        raise InputError(f"{config.dataset} has its own labels; leave {config.labels} out, or choose 'folder'")
    if config.annotations != POTENTIAL and _canonical(config.dataset) != "mirflickr":
        raise InputError(f"{config.dataset} has no {config.annotations} annotations; only mirflickr has any")
    return import_module(module).load(config)


def load_dataset(
    name: str = "cifar10",
    data: str | os.PathLike | None = None,
    *,
    labels: str | os.PathLike | None = None,
    annotations: str = POTENTIAL,
) -> ImageSet:
    """A data set by name.

    Args:
        name: one of `names()`.
        data: folder with the images, or file of embeddings, unless bundled.
        labels: CSV for a folder of images; folder of lists for mirflickr and nuswide.
        annotations: of mirflickr: "potential", "relevant" or "both".

    Examples:
        >>> images = tc.load_dataset("cifar10")
        >>> len(images), images.class_names[:3]
        (60000, ('airplane', 'automobile', 'bird'))
        >>> images.image(0).size
        (32, 32)
    """
    files = {key: None if path is None else os.fspath(path) for key, path in (("data", data), ("labels", labels))}
    return load(DataConfig(dataset=name, annotations=annotations, **files))


def paths(config: DataConfig) -> Callable[[str], Path | None]:
    """Function from an id to the path of its image; None if it is missing, or not a file."""
    name = _canonical(config.dataset)
    if name not in _FILES:
        return lambda identity: None
    from transclipped.datasets.folder import folder_of
    from transclipped.datasets.labels.listed import finder

    try:
        root = folder_of(config)
    except InputError:  # moved or unplugged: codes can still be searched
        return lambda identity: None
    return finder(root) if name in _LISTED else lambda identity: root / identity


def download(name: str, folder: str | Path) -> Path:
    """Download a data set to `folder`; returns the folder to use as `config.data`."""
    path, what = _entry(name)
    module = import_module(path)
    if not hasattr(module, "download"):
        raise InputError(f"{name} cannot be downloaded from here: {what}")
    return module.download(Path(folder).expanduser())


def describe(images: ImageSet, split: Split) -> dict[str, Any]:
    """Counts by role and class of a data set and a split, for JSON."""
    from transclipped.datasets.protocols import ROLES

    return {
        "dataset": images.name,
        "fingerprint": images.fingerprint,
        "pictures": len(images),
        "label_kind": images.label_kind,
        "unlabelled": int((~images.labelled).sum()),
        "protocol": split.protocol,
        "protocols": list(images.protocols),
        "seed": split.seed,
        "uses_labels": split.protocol in images.labelled_protocols,
        "k": min(images.default_k, len(split.database)),
        **{role: len(getattr(split, role)) for role in ROLES},
        "classes": {role: _class_counts(images, getattr(split, role)) for role in ROLES},
        "notes": list(getattr(images, "notes", [])),
        "skipped": [{"id": name, "reason": reason} for name, reason in images.unusable],
    }


def _canonical(name: str) -> str:
    return _ALIASES.get(name, name)


def _entry(name: str) -> tuple[str, str]:
    name = _canonical(name)
    if name not in _SETS:
        near = difflib.get_close_matches(name, _SETS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise InputError(f"there is no data set {name!r}{hint} Choose from {', '.join(_SETS)}")
    return _SETS[name]


def _class_counts(images: ImageSet, rows: np.ndarray) -> dict[str, int]:
    if images.labels is None:
        return {}
    labels = images.labels[rows]
    if images.label_kind == "multi":
        counts = labels.sum(axis=0, dtype=np.int64)
    else:
        counts = np.bincount(labels[labels >= 0], minlength=len(images.class_names))
    return {name: int(count) for name, count in zip(images.class_names, counts, strict=True)}
