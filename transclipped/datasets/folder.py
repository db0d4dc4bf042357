"""Pictures of one's own: a folder, searched recursively.

An id is the path below the folder, with forward slashes. Labels come from a CSV, or else from the names of
the first-level sub-folders if there are at least two. What cannot be used is listed with a reason in
`skipped` and left out; `listing.py` tells how files are found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets import thumbnails
from transclipped.datasets.base import UNLABELLED, ImageSet, fingerprint
from transclipped.datasets.label_files import recognise
from transclipped.datasets.listing import scan, signature, whole
from transclipped.datasets.pictures import BROWSER_FORMATS, open_picture, square, to_png
from transclipped.errors import InputError

MAX_K = 1000  # K of mAP@K, unless the database is smaller


class Folder(ImageSet):
    """Pictures as files.

    Args:
        root: the folder that ids are relative to.
        files: `[n]` paths below the folder, where they differ from the ids.
    """

    def __init__(self, *, root: Path, files: np.ndarray | None = None, **rest: object) -> None:
        super().__init__(**rest)
        self.root, self.files = root, self.ids if files is None else files

    def path(self, row: int) -> Path:
        """Where a picture lies.

        Raises:
            InputError: the whole folder is gone.
        """
        if not self.root.is_dir():
            raise InputError(
                f"{self.root} is gone: was the folder moved or renamed, or its disk unplugged? "
                f"Bring it back, or give its new place"
            )
        return self.root / self.files[int(row)]

    def encoded(self, row: int) -> bytes:
        path = self.path(row)
        try:
            raw = path.read_bytes()
            with Image.open(path) as image:
                shown = image.format in BROWSER_FORMATS and image.mode != "CMYK"
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; was it moved or changed?") from error
        return raw if shown else to_png(self.picture(row))

    def picture(self, row: int) -> Image.Image:
        return open_picture(self.path(row))

    def preview(self, row: int, *, side: int = thumbnails.SIDE) -> Image.Image:
        return thumbnails.small(self.path(row), side=side)

    def _square(self, row: int, size: int) -> Image.Image:
        return square(open_picture(self.path(row), at_least=size), size)


def load(config: DataConfig) -> Folder:
    """The pictures below `config.data`, with labels from `config.labels` if given.

    Raises:
        InputError: no folder is given, it is missing, holds fewer than two pictures, or the labels are wrong.
    """
    root = folder_of(config)
    apart = {Path(p).expanduser().resolve() for p in (config.labels, config.split) if p is not None}
    found, skipped = scan(root, apart=apart)
    found, damaged = whole(root, found)
    skipped += damaged
    if len(found) < 2:
        named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3]) or "it holds nothing else"
        raise InputError(f"{root} holds {len(found)} usable pictures; need 2 at least, 4 to train ({named})")
    ids = np.array([file.id for file in found])
    if config.labels is not None:
        file = recognise(Path(config.labels).expanduser(), ids)
        labels, names = file.labels, file.class_names
        skipped += [(name, "has a label, but is not among the pictures") for name in file.unknown]
    else:
        labels, names = labels_of_folders(ids)
    images = Folder(
        root=root,
        name="folder",
        ids=ids,
        labels=labels,
        class_names=names,
        fingerprint=fingerprint(signature(found)),
        default_k=MAX_K,
        skipped=sorted(skipped),
    )
    images.default_k = min(MAX_K, len(images.roles("default", seed=0).database))
    return images


def folder_of(config: DataConfig) -> Path:
    """`config.data` as an existing folder, links resolved."""
    if config.data is None:
        raise InputError(f"data set {config.dataset!r} needs its folder; name it with --data")
    root = Path(config.data).expanduser()
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder, or is gone (moved, renamed, unplugged?); give the folder of the pictures as data"
        )
    return root.resolve()


def labels_of_folders(ids: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Class `[n]` int64 by first-level sub-folder; pictures outside of one are `UNLABELLED`."""
    firsts = [name.split("/")[0] if "/" in name else None for name in ids]
    names = tuple(sorted({first for first in firsts if first is not None}))
    if len(names) < 2:  # one folder tells nothing apart
        return None, ()
    index = {name: i for i, name in enumerate(names)}
    return np.array([index.get(first, UNLABELLED) for first in firsts]), names
