"""Images named by label lists, wherever they are below the folder; the common part of Flickr25K and NUS-WIDE.

An id is the name of the image in the lists, so it is the same on every disk. Listed images that do not exist are in
`missing`. The protocol shuffles the *whole* list and takes the first existing images: a complete disk gives the same
rows everywhere, and a few missing images change only a few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.base import Roles, fingerprint
from transclipped.datasets.folder import Folder, folder_of
from transclipped.datasets.images.listing import FileEntry, scan, signature, whole
from transclipped.datasets.labels.lists import IMAGE, LabelList, text_files
from transclipped.datasets.sampling import shuffled
from transclipped.errors import InputError

K = 5000  # of mAP@K, as the literature reports both sets
LISTED = "listed"  # protocol with queries, database and training images of the lists


@dataclass(kw_only=True)
class Listing:
    """Content of the lists, before the images are searched for."""

    ids: list[str]  # N names
    labels: np.ndarray  # [N, L] uint8
    class_names: tuple[str, ...]  # L names
    roles: dict[str, list[str]] = field(default_factory=dict)  # ids by role, if lists have roles
    problems: list[tuple[str, str]] = field(default_factory=list)  # (name, reason) of skipped lines
    sources: list[str] = field(default_factory=list)  # files that were read
    notes: list[str] = field(default_factory=list)  # sentences on anything unusual


class ListedSet(Folder):
    """Images named by lists.

    Args:
        positions: `[n]` int64, index of each image in the whole list.
        missing: listed ids without an image.
        listing: content of the lists.
        n_query, n_train: images that the protocol draws from a complete disk.
        n_other: image files that are in no list.
    """

    def __init__(
        self,
        *,
        positions: np.ndarray,
        missing: list[str],
        listing: Listing,
        n_query: int,
        n_train: int,
        n_other: int,
        **rest: object,
    ) -> None:
        super().__init__(**rest)
        self.positions, self.listed, self.missing = positions, len(listing.ids), missing
        self.sources, self.notes, self.n_other = listing.sources, listing.notes, n_other
        self._sizes = (n_query, n_train)
        roles = {role: {self.find(name) for name in names} for role, names in listing.roles.items()}
        self._roles = {role: np.array(sorted(rows - {None}), np.int64) for role, rows in roles.items()}
        query = self._roles.get("query", [])
        if len(query) and len(query) < len(self):
            self.protocols = ("default", LISTED)

    def roles(self, protocol: str, *, seed: int) -> Roles:
        """Random queries, the rest as database and training images drawn from it; or the roles of the lists.

        If images are missing, at most a tenth of the labelled ones are queries.
        """
        rows = np.arange(len(self))
        if protocol == LISTED:
            query = self._roles["query"]
            database = np.setdiff1d(self._roles.get("database", rows), query)
            train = np.setdiff1d(self._roles.get("train", np.empty(0, np.int64)), query)
        else:
            candidates = np.flatnonzero(self.labelled)
            n_query = min(self._sizes[0], max(1, round(len(candidates) / 10)))
            query = self._sample(candidates, n_query, purpose="query", seed=seed)
            database, train = np.setdiff1d(rows, query), ()
        if not len(train):
            train = self._sample(database, self._sizes[1], purpose="train", seed=seed)
        return Roles(train, query, database)

    def _sample(self, rows: np.ndarray, n: int, *, purpose: str, seed: int) -> np.ndarray:
        """At most n random rows, sorted; the draw depends only on their positions in the whole list."""
        order = np.empty(self.listed, np.int64)
        order[shuffled(np.arange(self.listed), seed=seed, purpose=purpose)] = np.arange(self.listed)
        return np.sort(rows[np.argsort(order[self.positions[rows]])][:n])


def below(config: DataConfig) -> tuple[Path, list[FileEntry], list[tuple[str, str]], list[Path]]:
    """The folder `config.data`, its files and skipped (name, reason), and text files, also of `config.labels`."""
    root = folder_of(config)
    files, skipped = scan(root)
    texts = text_files(root, [file.id for file in files])
    if config.labels is not None:
        lists = Path(config.labels).expanduser().resolve()
        if not lists.is_dir():
            raise InputError(f"{lists} is not a folder; give the folder with the label lists")
        texts += text_files(lists, [file.id for file in scan(lists)[0]])
    return root, files, skipped, texts


def merge(lists: list[LabelList], canonical: Callable[[str], str], *, width: int) -> Listing:
    """One listing of several lists, without those that do not have `width` labels; `canonical` maps names to ids."""
    labels: dict[str, np.ndarray] = {}
    result = Listing(ids=[], labels=np.zeros((0, width), np.uint8), class_names=())
    contradicted = 0
    for one in lists:
        if one.labels.shape[1] != width:
            note = f"{one.path.name} has {one.labels.shape[1]} labels per line, not {width}; it is not used."
            result.notes.append(note)
            continue
        result.problems += one.problems
        result.sources.append(one.path.name)
        ids = [canonical(name) for name in one.names]
        if one.role is not None:
            result.roles.setdefault(one.role, []).extend(ids)
        for name, row in zip(ids, one.labels, strict=True):
            contradicted += bool((labels.setdefault(name, row) != row).any())
    if contradicted:
        result.notes.append(f"{contradicted:,} images have different labels in two lists; the first list is used.")
    result.ids = list(labels)
    result.labels = np.stack(list(labels.values())) if labels else result.labels
    return result


def agreement(truth: Listing, lists: Listing, columns: tuple[str, ...]) -> str:
    """How many images have the same labels in the ground truth and in the lists, whose labels are `columns`."""
    names = [name for name in columns if name in truth.class_names]
    rows = {name: row for row, name in enumerate(truth.ids)}
    pairs = np.array([(rows[name], i) for i, name in enumerate(lists.ids) if name in rows], np.int64).reshape(-1, 2)
    first = truth.labels[:, [truth.class_names.index(name) for name in names]][pairs[:, 0]]
    second = lists.labels[:, [columns.index(name) for name in names]][pairs[:, 1]]
    same = int((first == second).all(axis=1).sum())
    return f"{same:,} of the lists' {len(lists.ids):,} images have the same labels in the ground truth."


def assemble(
    name: str,
    root: Path,
    files: list[FileEntry],
    skipped: list[tuple[str, str]],
    listing: Listing,
    *,
    n_query: int,
    n_train: int,
) -> ListedSet:
    """Find the listed images among the files below `root`; InputError if there are fewer than two."""
    index = _FileIndex(files)
    matches = [index.find(identity) for identity in listing.ids]
    good, damaged = whole(root, [file for file in matches if file is not None])
    opened = {file.id: file for file in good}
    rows = np.array([row for row, file in enumerate(matches) if file is not None and file.id in opened], np.int64)
    if len(rows) < 2:
        raise InputError(
            f"{root} holds {len(rows)} of the {len(listing.ids):,} images that its lists name, such as "
            f"{listing.ids[0] if listing.ids else 'none'}; unpack the images into this folder"
        )
    used = [opened[matches[row].id] for row in rows]
    identity_of = {file.id: name for name, file in zip(listing.ids, matches, strict=True) if file is not None}
    return ListedSet(
        root=root,
        files=np.array([file.id for file in used]),
        positions=rows,
        missing=[name for name, file in zip(listing.ids, matches, strict=True) if file is None],
        listing=listing,
        n_query=n_query,
        n_train=n_train,
        n_other=sum(1 for file in files if file.id not in identity_of and IMAGE.search(file.id)),
        name=name,
        ids=np.array([listing.ids[row] for row in rows]),
        labels=listing.labels[rows],
        class_names=listing.class_names,
        fingerprint=fingerprint(signature(used), listing.labels[rows].tobytes()),
        default_k=K,
        skipped=sorted([*skipped, *listing.problems, *((identity_of[file], reason) for file, reason in damaged)]),
    )


def finder(root: Path) -> Callable[[str], Path | None]:
    """Function from an id to the path of its image below `root`, as in `assemble`; None if missing.

    Lists the folder once, and reads neither lists nor images.
    """
    index = _FileIndex(scan(root)[0])

    def find(identity: str) -> Path | None:
        file = index.find(identity)
        return None if file is None else root / file.id

    return find


class _FileIndex:
    """Files by name: an image is in the folder that the list names, or directly in any other."""

    def __init__(self, files: list[FileEntry]) -> None:
        self._nested: dict[str, FileEntry] = {}
        self._flat: dict[str, list[FileEntry]] = {}
        for file in files:
            parts = file.id.casefold().split("/")
            self._nested.setdefault("/".join(parts[-2:]), file)
            self._flat.setdefault(parts[-1], []).append(file)

    def find(self, identity: str) -> FileEntry | None:
        name = identity.casefold()
        if "/" in name and name in self._nested:
            return self._nested[name]
        same = self._flat.get(name.rpartition("/")[2], [])
        return same[0] if len(same) == 1 else None
