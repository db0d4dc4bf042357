"""Images that label lists name, wherever below the folder they lie: what Flickr25K and NUS-WIDE share.

An id is the image's name in the lists, so it is the same on every disk. Images that are listed and not there
are counted and named in `missing`. The protocol puts the *whole* list into a random order and takes the first
images that are there: a complete disk gives the same rows everywhere, and a few missing images change a few.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from transclipped.config import DataConfig
from transclipped.datasets.base import Roles, fingerprint
from transclipped.datasets.folder import Folder, folder_of
from transclipped.datasets.images.listing import Found, scan, signature, whole
from transclipped.datasets.labels.lists import IMAGE, LabelList, text_files
from transclipped.datasets.sampling import shuffled
from transclipped.errors import InputError

K = 5000  # of mAP@K, as the literature reports both sets
LISTED = "listed"  # protocol that takes queries, database and training images from the lists


@dataclass(kw_only=True)
class Listing:
    """What the lists say, before anyone looks for the images.

    Attributes:
        ids: `N` names.
        labels: `[N, L]` uint8.
        class_names: `L` names.
        roles: ids by role, where lists name roles.
        problems: (name, reason) of lines that are left out.
        sources: files that were read.
        notes: sentences on what is unusual.
    """

    ids: list[str]
    labels: np.ndarray
    class_names: tuple[str, ...]
    roles: dict[str, list[str]] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class ListedSet(Folder):
    """Images named by lists.

    Args:
        positions: `[n]` int64, place of each image in the whole list of `listed`.
        listed: images in the list, there or not.
        missing: ids that are not there.
        listing: what the lists say.
        n_query, n_train: images that the protocol draws from a complete disk.
        n_other: files that look like images and are in no list.
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
        found = {role: {self.find(name) for name in names} for role, names in listing.roles.items()}
        self._roles = {role: np.array(sorted(rows - {None}), np.int64) for role, rows in found.items()}
        query = self._roles.get("query", [])
        if len(query) and len(query) < len(self):
            self.protocols = ("default", LISTED)

    def roles(self, protocol: str, *, seed: int) -> Roles:
        """Drawn queries, the rest as database and training images drawn from it; or what the lists name.

        Where images are missing, at most a tenth of the labelled ones ask.
        """
        everything = np.arange(len(self))
        if protocol == LISTED:
            query = self._roles["query"]
            database = self._roles.get("database", np.setdiff1d(everything, query))
            database = np.setdiff1d(database, query)
            train = np.setdiff1d(self._roles.get("train", np.empty(0, np.int64)), query)
            if not len(train):
                train = np.sort(self._drawn(database, "train", seed)[: self._sizes[1]])
            return Roles(train, query, database)
        candidates = np.flatnonzero(self.labelled)
        n_query = min(self._sizes[0], max(1, round(len(candidates) / 10)))
        query = np.sort(self._drawn(candidates, "query", seed)[:n_query])
        database = np.setdiff1d(everything, query)
        train = np.sort(self._drawn(database, "train", seed)[: self._sizes[1]])
        return Roles(train, query, database)

    def _drawn(self, rows: np.ndarray, purpose: str, seed: int) -> np.ndarray:
        """Rows in a random order that depends on their places in the whole list alone."""
        order = np.empty(self.listed, np.int64)
        order[shuffled(np.arange(self.listed), seed=seed, purpose=purpose)] = np.arange(self.listed)
        return rows[np.argsort(order[self.positions[rows]])]


def below(config: DataConfig) -> tuple[Path, list[Found], list[tuple[str, str]], list[Path]]:
    """The folder `config.data`, files and skipped (name, reason) below it, and text files, also of `config.labels`.

    Raises:
        InputError: a folder is missing.
    """
    root = folder_of(config)
    found, skipped = scan(root)
    texts = text_files(root, [file.id for file in found])
    if config.labels is not None:
        texts += _lists_beside(config.labels)
    return root, found, skipped, texts


def merged(lists: list[LabelList], canonical: Callable[[str], str], *, width: int) -> Listing:
    """One listing of several lists; those with another number of labels are left out and noted.

    Args:
        canonical: from a written name to an id.
        width: L.
    """
    labels: dict[str, np.ndarray] = {}
    found = Listing(ids=[], labels=np.zeros((0, width), np.uint8), class_names=())
    contradicted = 0
    for one in lists:
        if one.labels.shape[1] != width:
            found.notes.append(f"{one.path.name} has {one.labels.shape[1]} labels a line, not {width}; it is not used.")
            continue
        found.problems += one.problems
        found.sources.append(one.path.name)
        ids = [canonical(name) for name in one.names]
        if one.role is not None:
            found.roles.setdefault(one.role, []).extend(ids)
        for name, row in zip(ids, one.labels, strict=True):
            contradicted += bool((labels.setdefault(name, row) != row).any())
    if contradicted:
        found.notes.append(f"{contradicted:,} images have different labels in two lists; the first list counts.")
    found.ids = list(labels)
    found.labels = np.stack(list(labels.values())) if labels else found.labels
    return found


def assemble(
    name: str,
    root: Path,
    found: list[Found],
    skipped: list[tuple[str, str]],
    listing: Listing,
    *,
    n_query: int,
    n_train: int,
) -> ListedSet:
    """Find the listed images among the files below `root`.

    Raises:
        InputError: fewer than two are there.
    """
    places = _Places(found)
    where = [places.find(identity) for identity in listing.ids]
    there = [place for place in where if place is not None]
    good, damaged = whole(root, there)
    opened = {file.id: file for file in good}
    reasons = dict(damaged)
    usable = np.array([place is not None and place.id not in reasons for place in where], bool)
    if usable.sum() < 2:
        raise InputError(
            f"{root} holds {int(usable.sum())} of the {len(listing.ids):,} images that its lists name, such as "
            f"{listing.ids[0] if listing.ids else 'none'}; unpack the images below this folder"
        )
    rows = np.flatnonzero(usable)
    kept = [opened[where[row].id] for row in rows]
    labels = listing.labels[rows]
    listed = {place.id for place in there}
    identity_of = {place.id: name for name, place in zip(listing.ids, where, strict=True) if place is not None}
    return ListedSet(
        root=root,
        files=np.array([place.id for place in kept]),
        positions=rows,
        missing=[name for name, place in zip(listing.ids, where, strict=True) if place is None],
        listing=listing,
        n_query=n_query,
        n_train=n_train,
        n_other=sum(1 for file in found if file.id not in listed and IMAGE.search(file.id)),
        name=name,
        ids=np.array([listing.ids[row] for row in rows]),
        labels=labels,
        class_names=listing.class_names,
        fingerprint=fingerprint(signature(kept), np.ascontiguousarray(labels).tobytes()),
        default_k=K,
        skipped=sorted([*skipped, *listing.problems, *((identity_of[file], why) for file, why in damaged)]),
    )


def finder(root: Path) -> Callable[[str], Path | None]:
    """Where the image of an id lies below `root`, as `assemble` finds it; None for one that is not there.

    Costs one listing of the folder, and reads neither lists nor images.
    """
    places = _Places(scan(root)[0])

    def find(identity: str) -> Path | None:
        found = places.find(identity)
        return None if found is None else root / found.id

    return find


class _Places:
    """Files by their names: an image may lie in the folder that the list names, or flat in any other."""

    def __init__(self, found: list[Found]) -> None:
        self._nested: dict[str, Found] = {}
        self._flat: dict[str, list[Found]] = {}
        for file in found:
            parts = file.id.casefold().split("/")
            self._nested.setdefault("/".join(parts[-2:]), file)
            self._flat.setdefault(parts[-1], []).append(file)

    def find(self, identity: str) -> Found | None:
        name = identity.casefold()
        if "/" in name and name in self._nested:
            return self._nested[name]
        same = self._flat.get(name.rpartition("/")[2], [])
        return same[0] if len(same) == 1 else None


def _lists_beside(labels: str) -> list[Path]:
    """Text files of a folder with lists.

    Raises:
        InputError: it is no folder.
    """
    root = Path(labels).expanduser()
    if not root.is_dir():
        raise InputError(f"{root} is not a folder; give the folder with the label lists")
    return text_files(root.resolve(), [file.id for file in scan(root.resolve())[0]])
