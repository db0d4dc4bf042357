"""What the cache holds, by kind: so that people know what is kept of their images, where, and can delete it.

Nothing in the cache is the only copy of anything; what is deleted is computed again when it is needed.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from transclipped.errors import InputError
from transclipped.utils.files import cache_dir

# folder or file below the cache: what it is
KINDS = {
    "features": "embeddings of images by a backbone, a few hundred numbers each; minutes to compute again",
    "thumbnails": "small versions of large photographs",
    "listings": "names, sizes and times of a folder's files, so that only changed ones are opened again",
    "unreadable": "names of images that could not be decoded, with the reason",
    "checks": "reports of checked data sets, with names of files",
    "maps": "positions of points on the Embeddings page",
    "precision.json": "which number format is fastest on this machine",
    "batches.json": "how many images at a time each network takes fastest on this machine",
    "speed.json": "how fast this machine encodes, trains and ranks, for the time told before a training",
}
OTHER = "everything else"


@dataclass(frozen=True)
class Stored:
    """One kind of cached files: its name below the cache, what it is, and what it takes."""

    name: str
    what: str
    files: int
    bytes: int


def stored() -> list[Stored]:
    """What the cache holds, the largest first; kinds without files are left out."""
    root = cache_dir()
    counts: dict[str, list[int]] = {}
    for path in root.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                first = path.relative_to(root).parts[0]
                count = counts.setdefault(first if first in KINDS else OTHER, [0, 0])
                count[0] += 1
                count[1] += path.stat().st_size
    found = [Stored(name, KINDS.get(name, "left by other versions"), *count) for name, count in counts.items()]
    return sorted(found, key=lambda kind: -kind.bytes)


def clear(names: list[str]) -> int:
    """Delete these kinds from the cache; returns the bytes freed.

    Raises:
        InputError: there is no such kind.
    """
    if unknown := [name for name in names if name not in KINDS and name != OTHER]:
        raise InputError(f"the cache has no kind {unknown[0]!r}; choose from {', '.join([*KINDS, OTHER])}")
    before = sum(kind.bytes for kind in stored())
    root = cache_dir()
    for path in list(root.iterdir()) if root.is_dir() else []:
        if (path.name if path.name in KINDS else OTHER) in names:
            _delete(path)
    return before - sum(kind.bytes for kind in stored())


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
