"""Cached thumbnails of large photographs: a page of hits must not decode 12 megapixels forty times.

JPEGs below `thumbnails/` in the cache, named by a hash of the file's path, size and time, so a changed photograph gets
a new one. Above `LIMIT` the least recently used are deleted.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from PIL import Image

from transclipped.datasets.images.decode import open_image
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, replacing

LIMIT = 256 << 20  # bytes in all
LARGE = 256 << 10  # bytes of a file from which a thumbnail is worthwhile
SIDE = 256  # pixels of the shorter side
EVERY = 256  # new thumbnails between two checks of the limit
_n_new = 0


def small(path: Path, *, side: int = SIDE) -> Image.Image:
    """RGB image whose shorter side has at least `side` pixels, unless the original has fewer."""
    if side > SIDE or not (thumbnail := _thumbnail_file(path)):
        return open_image(path, at_least=side)
    with suppress(InputError, OSError):
        image = open_image(thumbnail)
        os.utime(thumbnail)
        return image
    return _create(path, thumbnail)


def prune(limit: int = LIMIT) -> int:
    """Delete the least recently used thumbnails until the others fit `limit` bytes; returns the bytes freed."""
    files = []
    for path in (cache_dir() / "thumbnails").rglob("*.jpg"):
        with suppress(OSError):
            info = path.stat()
            files.append((info.st_mtime_ns, info.st_size, path))
    excess = sum(size for _, size, _ in files) - limit
    freed = 0
    for _, size, path in sorted(files):
        if freed >= excess:
            break
        with suppress(OSError):
            path.unlink()
            freed += size
    return freed


def _thumbnail_file(path: Path) -> Path | None:
    """None for a small or missing image."""
    try:
        info = path.stat()
    except OSError:
        return None
    if info.st_size < LARGE:
        return None
    key = hashlib.sha256(f"{path}\0{info.st_size}\0{info.st_mtime_ns}".encode(errors="surrogateescape")).hexdigest()
    return cache_dir() / "thumbnails" / key[:2] / f"{key[2:32]}.jpg"


def _create(path: Path, thumbnail: Path) -> Image.Image:
    global _n_new
    image = open_image(path, at_least=SIDE)
    scale = SIDE / min(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    with suppress(InputError), replacing(thumbnail, durable=False) as temporary:  # works without a cache too
        image.save(temporary, "JPEG", quality=88)
    _n_new += 1
    if _n_new % EVERY == 0:
        prune()
    return image
