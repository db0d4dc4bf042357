"""What is really there of a data set: each image read, decoded and sketched once, and compared with all others.

The result is a report ready for JSON, kept in the cache under the data set's fingerprint, so that the page of data
sets shows it without looking at every image again.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from transclipped.datasets.base import ImageSet
from transclipped.datasets.folder import Folder
from transclipped.datasets.images import duplicates
from transclipped.datasets.images.decode import header, open_image
from transclipped.errors import InputError
from transclipped.utils.files import cache_dir, read_json, write_json
from transclipped.utils.progress import Progress

READERS = min(8, os.cpu_count() or 1)  # threads
BATCH = 256  # images read at once, which bounds the memory
ENOUGH = 72  # pixels of the shorter side that a sketch needs; large JPEGs decode at a fraction of their size
SHOWN = 100  # names and groups in a report, whose counts are complete
VERSION = 2


class ImageReport(NamedTuple):
    """What one image turned out to be; only `reason` if it cannot be used."""

    reason: str | None
    content: str = ""
    format: str = ""
    side: int = 0
    sketch: duplicates.Sketch | None = None


class Check:
    """A check of all images; `report` is there when `run` has ended.

    Args:
        images: any data set with images.
    """

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.report: dict[str, Any] = {}
        self.damaged: list[tuple[str, str]] = []

    def run(self) -> Iterator[Progress]:
        """Look at every image, then compare them all; the report is kept in the cache too."""
        started = time.monotonic()
        n = len(self.images)
        seen: list[ImageReport] = []
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, n, BATCH):
                seen += pool.map(self._look, range(start, min(n, start + BATCH)))
                yield Progress("checking", len(seen), n, time.monotonic() - started)
        ids = self.images.ids
        self.damaged = [(str(ids[row]), one.reason) for row, one in enumerate(seen) if one.reason]
        self.report = {**self.found(), **_outcome(self.damaged, seen), **_doubles(ids, seen)}
        self.report["seconds"] = round(time.monotonic() - started, 2)
        with suppress(InputError):  # a full disk only costs the memory
            write_json(_place(self.images.fingerprint), self.report)

    def found(self) -> dict[str, Any]:
        """The part of the report that needs no image to be decoded."""
        images = self.images
        missing = getattr(images, "missing", [])
        return {
            "v": VERSION,
            "folder": str(images.root) if isinstance(images, Folder) else None,
            "found": len(images),
            "listed": getattr(images, "listed", len(images)),
            "missing": {"count": len(missing), "names": missing[:SHOWN]},
            "other_pictures": getattr(images, "n_other", 0),
            "sources": getattr(images, "sources", []),
            "notes": getattr(images, "notes", []),
        }

    def _look(self, row: int) -> ImageReport:
        try:
            return examine(_raw(self.images, row), name=str(self.images.ids[row]))
        except InputError as error:
            return ImageReport(str(error))
        except OSError as error:
            return ImageReport((error.strerror or str(error)).lower())


def examine(raw: bytes, *, name: str) -> ImageReport:
    """Format, size, content and sketch of an encoded image.

    Raises:
        InputError: it cannot be decoded.
    """
    decoded = open_image(raw, name=name, at_least=ENOUGH)
    with header(raw) as image:
        kind, side = image.format or "", min(image.size)
    return ImageReport(None, hashlib.blake2b(raw, digest_size=16).hexdigest(), kind, side, duplicates.sketch(decoded))


def last_report(fingerprint: str) -> dict[str, Any] | None:
    """What the last check of a data set of this content found, if it is still in the cache."""
    try:
        report = read_json(_place(fingerprint))
    except InputError:
        return None
    return report if isinstance(report, dict) and report.get("v") == VERSION else None


def _place(fingerprint: str) -> Path:
    return cache_dir() / "checks" / f"{fingerprint}.json"


def _raw(images: ImageSet, row: int) -> bytes:
    """The file itself, where there is one: `encoded` would convert what no browser shows."""
    return images.path(row).read_bytes() if isinstance(images, Folder) else images.encoded(row)


def _outcome(damaged: list[tuple[str, str]], seen: list[ImageReport]) -> dict[str, Any]:
    named = [{"id": name, "reason": reason} for name, reason in damaged[:SHOWN]]
    sides = np.array([one.side for one in seen if not one.reason])
    measured = {"min": sides.min(), "median": np.median(sides), "max": sides.max()} if len(sides) else {}
    return {
        "decoded": len(seen) - len(damaged),
        "damaged": {"count": len(damaged), "pictures": named},
        "formats": dict(Counter(one.format for one in seen if not one.reason).most_common()),
        "shorter_side": {name: int(value) for name, value in measured.items()},
    }


def _doubles(ids: np.ndarray, seen: list[ImageReport]) -> dict[str, Any]:
    """Files of one content, and images that look alike, one of each content."""
    same = duplicates.exact([one.content for one in seen])
    again = {row for group in same for row in group[1:]}
    rows = np.array([row for row, one in enumerate(seen) if not one.reason and row not in again], np.int64)
    alike = []
    if len(rows):
        found = duplicates.near(*(np.stack(part) for part in zip(*(seen[row].sketch for row in rows), strict=True)))
        alike = [rows[group].tolist() for group in found]
    return {"same_file": _groups(same, ids), "look_alike": _groups(alike, ids)}


def _groups(groups: list[list[int]], ids: np.ndarray) -> dict[str, Any]:
    return {
        "groups": len(groups),
        "extra": sum(len(group) - 1 for group in groups),
        "ids": duplicates.named(groups[:SHOWN], ids),
    }
