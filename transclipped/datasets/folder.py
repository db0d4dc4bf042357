"""Images of one's own: a folder, searched recursively.

An id is the path below the folder, with forward slashes. Labels come from a file of labels (`label_files.py`), one
that is given or else one named `metadata.csv` or the like in the folder; or from the names of the first-level
sub-folders if there are at least two. Where those are `train`, `val`, `test` and the like, they are a split, and the
next level names the classes. What cannot be used is listed with a reason in `skipped` and left out; `listing.py`
tells how files are found.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import UNLABELLED, ImageSet, Roles, fingerprint
from transclipped.datasets.images import thumbnails
from transclipped.datasets.images.decode import header, open_image, shows, square, to_png
from transclipped.datasets.images.listing import scan, signature, whole
from transclipped.datasets.labels import files as label_files
from transclipped.errors import InputError

MAX_K = 1000  # K of mAP@K, unless the database is smaller
FOLDERS = "folders"  # protocol that takes queries, database and training images from the first-level sub-folders
PARTS = {  # names of such sub-folders, in lower case: what their images are for
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "query", "queries"), "query"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "held out"),
    **dict.fromkeys(("gallery", "database", "db", "index"), "database"),
}


class Folder(ImageSet):
    """Images as files.

    Args:
        root: the folder that ids are relative to.
        files: `[n]` paths below the folder, where they differ from the ids.
        notes: sentences on what was made of the folder.
        parts: `[n]` what each image is for, where the first-level sub-folders say so.
    """

    def __init__(
        self,
        *,
        root: Path,
        files: np.ndarray | None = None,
        notes: list[str] | None = None,
        parts: np.ndarray | None = None,
        **rest: object,
    ) -> None:
        super().__init__(**rest)
        self.root, self.files = root, self.ids if files is None else files
        self.notes, self.parts = notes or [], parts
        if parts is not None and len(self._asking()):
            self.protocols = (FOLDERS, *self.protocols)

    def path(self, row: int) -> Path:
        """Where an image lies.

        Raises:
            InputError: the whole folder is gone.
        """
        if not self.root.is_dir():
            raise InputError(
                f"{self.root} is gone: was the folder moved or renamed, or its disk unplugged? "
                f"Bring it back, or give its new place"
            )
        return self.root / self.files[int(row)]

    def roles(self, protocol: str, *, seed: int) -> Roles:
        """By protocol `folders`, images held out for tests are the queries and all others the database, those of a
        training folder train; by the default one, a drawn tenth are the queries."""
        if protocol != FOLDERS:
            return super().roles(protocol, seed=seed)
        query = self._asking()
        database = np.setdiff1d(np.arange(len(self)), query)
        train = np.flatnonzero(self.parts == "train")
        return Roles(train if len(train) else database, query, database)

    def _asking(self) -> np.ndarray:
        """Labelled rows of the sub-folder for tests, or else of that for validation; never all rows."""
        parts = (np.flatnonzero((self.parts == part) & self.labelled) for part in ("query", "held out"))
        return next((rows for rows in parts if 0 < len(rows) < len(self)), np.empty(0, np.int64))

    def encoded(self, row: int) -> bytes:
        path = self.path(row)
        try:
            raw = path.read_bytes()
            with header(raw) as image:
                shown = shows(image)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; was it moved or changed?") from error
        return raw if shown else to_png(self.image(row))

    def image(self, row: int) -> Image.Image:
        return open_image(self.path(row))

    def preview(self, row: int, *, side: int = thumbnails.SIDE) -> Image.Image:
        return thumbnails.small(self.path(row), side=side)

    def _square(self, row: int, size: int) -> Image.Image:
        return square(open_image(self.path(row), at_least=size), size)


def load(config: DataConfig) -> Folder:
    """The images below `config.data`, with labels from `config.labels` if given.

    Raises:
        InputError: no folder is given, it is missing, holds fewer than two images, or the labels are wrong.
    """
    root = folder_of(config)
    given = Path(config.labels).expanduser() if config.labels is not None else label_files.beside(root)
    apart = {Path(path).expanduser().resolve() for path in (given, config.split) if path is not None}
    found, skipped = scan(root, apart=apart)
    found, damaged = whole(root, found)
    skipped += damaged
    if len(found) < 2:
        named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3]) or "it holds nothing else"
        raise InputError(f"{root} holds {len(found)} usable images; need 2 at least, 4 to train ({named})")
    ids = np.array([file.id for file in found])
    parts, notes = parts_of_folders(ids), []
    labels, names, unknown = _labels(ids, given, parts, notes, required=config.labels is not None)
    skipped += [(name, "has a label, but is not among the images") for name in unknown]
    images = Folder(
        root=root,
        notes=notes,
        parts=parts,
        name="folder",
        ids=ids,
        labels=labels,
        class_names=names,
        fingerprint=fingerprint(signature(found)),
        default_k=MAX_K,
        skipped=sorted(skipped),
    )
    images.default_k = min(MAX_K, len(images.roles(images.protocols[0], seed=0).database))
    return images


def folder_of(config: DataConfig) -> Path:
    """`config.data` as an existing folder, links resolved."""
    if config.data is None:
        raise InputError(f"data set {config.dataset!r} needs its folder; name it with --data")
    root = Path(config.data).expanduser()
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder, or is gone (moved, renamed, unplugged?); give the folder of the images as data"
        )
    return root.resolve()


def labels_of_folders(ids: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Class `[n]` int64 by first-level sub-folder; images outside of one are `UNLABELLED`."""
    firsts = [name.split("/")[0] if "/" in name else None for name in ids]
    names = tuple(sorted({first for first in firsts if first is not None}))
    if len(names) < 2:  # one folder tells nothing apart
        return None, ()
    index = {name: i for i, name in enumerate(names)}
    return np.array([index.get(first, UNLABELLED) for first in firsts]), names


def parts_of_folders(ids: np.ndarray) -> np.ndarray | None:
    """What each image is for, `[n]` str, where all first-level sub-folders have names of parts of a split."""
    firsts = [name.split("/")[0].casefold() if "/" in name else None for name in ids]
    if not all(first in PARTS for first in firsts):
        return None
    return np.array([PARTS[first] for first in firsts])


def _labels(
    ids: np.ndarray, given: Path | None, parts: np.ndarray | None, notes: list[str], *, required: bool
) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Labels, class names, and names in the file of labels that are no images; says in `notes` what was made of it."""
    if given is not None:
        try:
            file = label_files.recognise(given, ids)
        except InputError as error:
            if required:
                raise
            notes.append(f"{given.name} gives no labels: {error}.")
        else:
            if not required:
                notes.append(f"{file.n_labelled:,} of {file.n_images:,} images have their label from {given.name}.")
            return file.labels, file.class_names, file.unknown
    if parts is None:
        return *labels_of_folders(ids), ()
    labels, names = labels_of_folders(np.array([name.partition("/")[2] for name in ids]))
    folders = ", ".join(sorted({name.partition("/")[0] for name in ids}))
    classes = "the folders below them the classes" if names else "and there are no folders below them for classes"
    notes.append(f"The folders {folders} are taken for a split, {classes}.")
    return labels, names, ()
