"""Content of the cache by kind, so that users know what is stored of their images, and where, and can delete it.

The cache never holds the only copy of anything; deleted data is computed again when needed.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass

from transclipped.errors import InputError
from transclipped.utils.files import cache_dir

# folder or file in the cache: description
KINDS = {
    "features": "backbone embeddings of images, a few hundred numbers each; recomputing them takes minutes",
    "thumbnails": "small versions of large photographs",
    "listings": "names, sizes and times of the files in a folder, so that only changed ones are opened",
    "unreadable": "names of images that cannot be decoded, with the reason",
    "checks": "reports of data set checks, with file names",
    "light": "the light of images, 18 numbers each",
    "maps": "positions of points on the Embeddings page",
    "pipelines": "outputs of pipelines' stages: what they learned, vectors, neighbours and hits",
    "sda": "auto-encoders that pipelines have learned from images",
    "precision.json": "fastest number format on this machine",
    "batches.json": "fastest batch size of each network on this machine",
    "speed.json": "speed of encoding, training and ranking on this machine, for time estimates",
}
OTHER = "everything else"


@dataclass(frozen=True)
class Stored:
    """One kind of cached files."""

    name: str
    what: str  # description
    files: int
    bytes: int


def stored() -> list[Stored]:
    """Content of the cache by kind, largest first, without empty kinds."""
    root = cache_dir()
    counts: dict[str, list[int]] = {}
    for path in root.rglob("*"):
        with suppress(OSError):
            if path.is_file():
                first = path.relative_to(root).parts[0]
                count = counts.setdefault(first if first in KINDS else OTHER, [0, 0])
                count[0] += 1
                count[1] += path.stat().st_size
    kinds = [Stored(name, KINDS.get(name, "files of other versions"), *count) for name, count in counts.items()]
    return sorted(kinds, key=lambda kind: -kind.bytes)


def clear(names: list[str]) -> int:
    """Delete kinds from the cache; returns the bytes freed. InputError for an unknown kind."""
    if unknown := [name for name in names if name not in KINDS and name != OTHER]:
        raise InputError(f"the cache has no kind {unknown[0]!r}; choose from {', '.join([*KINDS, OTHER])}")
    before = sum(kind.bytes for kind in stored())
    root = cache_dir()
    for path in list(root.iterdir()) if root.is_dir() else []:
        if (path.name if path.name in KINDS else OTHER) in names:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
    return before - sum(kind.bytes for kind in stored())
