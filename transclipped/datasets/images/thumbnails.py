"""Small versions of large photographs, kept on disk: a page of hits must not decode 12 megapixels forty times.

They are JPEGs below `thumbnails/` in the cache, named by a hash of the file's path, size and time, so a changed
photograph gets a new one. What was not looked at for longest goes when all together exceed `LIMIT`.
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
LARGE = 256 << 10  # bytes of a file from which a thumbnail pays
SIDE = 256  # pixels of the shorter side
EVERY = 256  # new thumbnails between two looks at the limit
_made = 0


def small(path: Path, *, side: int = SIDE) -> Image.Image:
    """RGB image whose shorter side has at least `side` pixels, unless the original has fewer.

    Raises:
        InputError: it cannot be read.
    """
    if side > SIDE or not _is_large(path):
        return open_image(path, at_least=side)
    kept = _place(path)
    with suppress(InputError, OSError):
        image = open_image(kept)
        os.utime(kept)
        return image
    return _made_for(path, kept)


def prune(limit: int = LIMIT) -> int:
    """Delete the thumbnails looked at longest ago until they fit `limit` bytes; returns the bytes freed."""
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


def _is_large(path: Path) -> bool:
    try:
        return path.stat().st_size >= LARGE
    except OSError:
        return False


def _place(path: Path) -> Path:
    info = path.stat()
    key = hashlib.sha256(f"{path}\0{info.st_size}\0{info.st_mtime_ns}".encode(errors="surrogateescape")).hexdigest()
    return cache_dir() / "thumbnails" / key[:2] / f"{key[2:32]}.jpg"


def _made_for(path: Path, kept: Path) -> Image.Image:
    global _made
    image = open_image(path, at_least=SIDE)
    scale = SIDE / min(image.size)
    if scale < 1:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        image = image.resize(size, Image.Resampling.LANCZOS)
    with suppress(InputError), replacing(kept, durable=False) as temporary:  # a full disk only costs the thumbnail
        image.save(temporary, "JPEG", quality=88)
    _made += 1
    if _made % EVERY == 0:
        prune()
    return image
