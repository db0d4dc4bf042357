"""Data sets by name.

A new one is a module with `load(config) -> ImageSet` and a line in `_SETS`. Modules are imported when
needed, so that listing the names does not take the seconds that torch takes.
"""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import TYPE_CHECKING

from transclipped.config import DataConfig
from transclipped.errors import InputError

if TYPE_CHECKING:
    from transclipped.datasets.base import ImageSet

# name: (module, what it is, in a few words)
_SETS = {
    "cifar10": ("transclipped.datasets.cifar10", "60,000 pictures of 32 × 32 pixels in 10 classes; bundled"),
    "caltech101": ("transclipped.datasets.caltech101", "3,030 photographs in 101 classes; bundled"),
    "collage": ("transclipped.datasets.collage", "2,525 pairs of Caltech-101 photographs, two labels each; bundled"),
    "folder": ("transclipped.datasets.folder", "a folder of your own pictures, with or without labels"),
}


def names() -> tuple[str, ...]:
    """All data sets."""
    return tuple(_SETS)


def summary(name: str) -> str:
    """What a data set is, in a few words."""
    return _entry(name)[1]


def load(config: DataConfig) -> ImageSet:
    """The data set that a configuration names.

    Raises:
        InputError: the name is unknown, labels are given where they are known, or files are missing or damaged.
    """
    module = _entry(config.dataset)[0]
    if config.labels is not None and config.dataset != "folder":
        raise InputError(f"{config.dataset} brings its own labels; leave {config.labels} out, or choose 'folder'")
    return import_module(module).load(config)


def _entry(name: str) -> tuple[str, str]:
    if name not in _SETS:
        near = difflib.get_close_matches(name, _SETS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise InputError(f"there is no data set {name!r}{hint} Known are {', '.join(_SETS)}")
    return _SETS[name]
