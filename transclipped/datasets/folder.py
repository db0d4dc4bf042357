"""Custom images: a folder, searched recursively.

An id is the path below the folder, with forward slashes. Labels come from a file of labels (`labels/files.py`), given
or named `metadata.csv` or the like in the folder; otherwise from the names of the first-level sub-folders, if there are
at least two. If those are called `train`, `val`, `test` and the like they are a split, and the next level names the
classes. Files that cannot be used are in `skipped` with a reason; `images/listing.py` searches the folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from transclipped.config import DataConfig
from transclipped.datasets.base import UNLABELLED, ImageSet, Roles, fingerprint
from transclipped.datasets.images import thumbnails
from transclipped.datasets.images.decode import browser_shows, header, open_image, square, to_png
from transclipped.datasets.images.listing import scan, signature, whole
from transclipped.datasets.labels import files as label_files
from transclipped.errors import InputError

MAX_K = 1000  # K of mAP@K, unless the database is smaller
FOLDERS = "folders"  # protocol with queries, database and training images by first-level sub-folder
PARTS = {  # role of the images in such sub-folders, by name in lower case
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("test", "testing", "testset", "query", "queries"), "query"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "eval"), "held out"),
    **dict.fromkeys(("gallery", "database", "db", "index"), "database"),
}


class Folder(ImageSet):
    """Images as files.

    Args:
        root: the folder that ids are relative to.
        files: `[n]` paths below the folder, if they differ from the ids.
        notes: sentences on how the folder was read.
        parts: `[n]` role of each image, if the first-level sub-folders are a split.
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
        if parts is not None and len(self._held_out()):
            self.protocols = (FOLDERS, *self.protocols)

    def path(self, row: int) -> Path:
        """Path of an image; InputError if the whole folder is gone."""
        if not self.root.is_dir():
            raise InputError(
                f"{self.root} is gone: was the folder moved or renamed, or its disk unplugged? "
                f"Bring it back, or give its new path"
            )
        return self.root / self.files[int(row)]

    def roles(self, protocol: str, *, seed: int) -> Roles:
        """In protocol `folders`, test images are the queries, all others the database, and those of a training folder
        train; in the default one, a random tenth are the queries."""
        if protocol != FOLDERS:
            return super().roles(protocol, seed=seed)
        query = self._held_out()
        database = np.setdiff1d(np.arange(len(self)), query)
        train = np.flatnonzero(self.parts == "train")
        return Roles(train if len(train) else database, query, database)

    def _held_out(self) -> np.ndarray:
        """Labelled rows of the test sub-folder, else of the validation sub-folder; never all rows."""
        parts = (np.flatnonzero((self.parts == part) & self.labelled) for part in ("query", "held out"))
        return next((rows for rows in parts if 0 < len(rows) < len(self)), np.empty(0, np.int64))

    def encoded(self, row: int) -> bytes:
        path = self.path(row)
        try:
            raw = path.read_bytes()
            with header(raw) as image:
                displayable = browser_shows(image)
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror or error}; was it moved or changed?") from error
        return raw if displayable else to_png(self.image(row))

    def image(self, row: int) -> Image.Image:
        return open_image(self.path(row))

    def preview(self, row: int, *, side: int = thumbnails.SIDE) -> Image.Image:
        return thumbnails.small(self.path(row), side=side)

    def _square(self, row: int, size: int) -> Image.Image:
        return square(open_image(self.path(row), at_least=size), size)


def load(config: DataConfig) -> Folder:
    """The images below `config.data`, with labels from `config.labels` if given.

    Raises:
        InputError: the folder is missing or holds fewer than two images, or the labels are wrong.
    """
    root = folder_of(config)
    given = Path(config.labels).expanduser() if config.labels is not None else label_files.beside(root)
    ignore = {Path(path).expanduser().resolve() for path in (given, config.split) if path is not None}
    files, skipped = scan(root, ignore=ignore)
    files, damaged = whole(root, files)
    skipped += damaged
    if len(files) < 2:
        named = "; ".join(f"{name}: {reason}" for name, reason in skipped[:3]) or "it holds nothing else"
        raise InputError(f"{root} holds {len(files)} usable images; need at least 2, and 4 to train ({named})")
    ids = np.array([file.id for file in files])
    parts, notes = parts_of_folders(ids), []
    labels, names, unknown = _labels(ids, given, parts, notes, required=config.labels is not None)
    skipped += [(name, "has a label, but no image") for name in unknown]
    images = Folder(
        root=root,
        notes=notes,
        parts=parts,
        name="folder",
        ids=ids,
        labels=labels,
        class_names=names,
        fingerprint=fingerprint(signature(files)),
        default_k=MAX_K,
        skipped=sorted(skipped),
    )
    images.default_k = min(MAX_K, len(images.roles(images.protocols[0], seed=0).database))
    return images


def folder_of(config: DataConfig) -> Path:
    """`config.data` as an existing folder, links resolved."""
    if config.data is None:
        raise InputError(f"data set {config.dataset!r} needs a folder; name it with --data")
    root = Path(config.data).expanduser()
    if not root.is_dir():
        raise InputError(
            f"{root} is not a folder, or is gone (moved, renamed, unplugged?); give the folder of the images as data"
        )
    return root.resolve()


def labels_of_folders(ids: np.ndarray) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Class `[n]` int64 by first-level sub-folder; images outside of these are `UNLABELLED`."""
    firsts = [name.split("/")[0] if "/" in name else None for name in ids]
    names = tuple(sorted({first for first in firsts if first is not None}))
    if len(names) < 2:
        return None, ()
    index = {name: i for i, name in enumerate(names)}
    return np.array([index.get(first, UNLABELLED) for first in firsts]), names


def parts_of_folders(ids: np.ndarray) -> np.ndarray | None:
    """Role of each image, `[n]` str, if the names of all first-level sub-folders are in `PARTS`, else None."""
    firsts = [name.split("/")[0].casefold() if "/" in name else None for name in ids]
    if not all(first in PARTS for first in firsts):
        return None
    return np.array([PARTS[first] for first in firsts])


def _labels(
    ids: np.ndarray, given: Path | None, parts: np.ndarray | None, notes: list[str], *, required: bool
) -> tuple[np.ndarray | None, tuple[str, ...], tuple[str, ...]]:
    """Labels, class names, and names in the file of labels without an image; adds to `notes` how they were read."""
    if given is not None:
        try:
            file = label_files.recognise(given, ids)
        except InputError as error:
            if required:
                raise
            notes.append(f"{given.name} is not used as labels: {error}.")
        else:
            if not required:
                notes.append(f"{file.n_labelled:,} of {file.n_images:,} images have a label in {given.name}.")
            return file.labels, file.class_names, file.unknown
    if parts is None:
        return *labels_of_folders(ids), ()
    labels, names = labels_of_folders(np.array([name.partition("/")[2] for name in ids]))
    folders = ", ".join(sorted({name.partition("/")[0] for name in ids}))
    classes = "the folders below them are the classes" if names else "without folders below them for classes"
    notes.append(f"The folders {folders} are read as a split; {classes}.")
    return labels, names, ()
