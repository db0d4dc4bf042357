"""Check of a data set: every image is read, decoded, sketched and compared with all others.

The report is JSON and cached by the fingerprint of the data set, so that pages show it without another check.
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
from transclipped.utils.files import cache_dir, read_object, write_json
from transclipped.utils.progress import Progress

READERS = min(8, os.cpu_count() or 1)  # threads
BATCH = 256  # images read at once; bounds the memory
ENOUGH = 72  # pixels of the shorter side, enough for a sketch; large JPEGs decode at a fraction of their size
SHOWN = 100  # names and groups in a report; counts include all
VERSION = 2


class ImageReport(NamedTuple):
    """Facts about one image; only `reason` if it cannot be used."""

    reason: str | None
    content: str = ""
    format: str = ""
    side: int = 0
    sketch: duplicates.Sketch | None = None


class Check:
    """A check of all images; `report` is complete when `run` has ended."""

    def __init__(self, images: ImageSet) -> None:
        self.images = images
        self.report: dict[str, Any] = {}
        self.damaged: list[tuple[str, str]] = []

    def run(self) -> Iterator[Progress]:
        """Check every image, compare all, and cache the report."""
        started, n = time.monotonic(), len(self.images)
        reports: list[ImageReport] = []
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, n, BATCH):
                reports += pool.map(self._examine, range(start, min(n, start + BATCH)))
                yield Progress("checking", len(reports), n, time.monotonic() - started)
        ids = self.images.ids
        self.damaged = [(str(ids[row]), one.reason) for row, one in enumerate(reports) if one.reason]
        self.report = {**self.listing(), **_outcome(self.damaged, reports), **_doubles(ids, reports)}
        self.report["seconds"] = round(time.monotonic() - started, 2)
        with suppress(InputError):  # without a cache the check is only repeated
            write_json(_report_file(self.images.fingerprint), self.report)

    def listing(self) -> dict[str, Any]:
        """The part of the report that needs no decoding."""
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

    def _examine(self, row: int) -> ImageReport:
        try:
            # The file itself if there is one: `encoded` would convert what no browser displays.
            file = self.images.path(row).read_bytes() if isinstance(self.images, Folder) else self.images.encoded(row)
            return examine(file, name=str(self.images.ids[row]))
        except InputError as error:
            return ImageReport(str(error))
        except OSError as error:
            return ImageReport((error.strerror or str(error)).lower())


def examine(raw: bytes, *, name: str) -> ImageReport:
    """Format, size, content and sketch of an encoded image; InputError if it cannot be decoded."""
    decoded = open_image(raw, name=name, at_least=ENOUGH)
    with header(raw) as image:
        kind, side = image.format or "", min(image.size)
    return ImageReport(None, hashlib.blake2b(raw, digest_size=16).hexdigest(), kind, side, duplicates.sketch(decoded))


def last_report(fingerprint: str) -> dict[str, Any] | None:
    """The cached report of the last check of this data set, if any."""
    report = read_object(_report_file(fingerprint))
    return report if report.get("v") == VERSION else None


def _report_file(fingerprint: str) -> Path:
    return cache_dir() / "checks" / f"{fingerprint}.json"


def _outcome(damaged: list[tuple[str, str]], reports: list[ImageReport]) -> dict[str, Any]:
    named = [{"id": name, "reason": reason} for name, reason in damaged[:SHOWN]]
    sides = np.array([one.side for one in reports if not one.reason])
    summary = {"min": sides.min(), "median": np.median(sides), "max": sides.max()} if len(sides) else {}
    return {
        "decoded": len(reports) - len(damaged),
        "damaged": {"count": len(damaged), "pictures": named},
        "formats": dict(Counter(one.format for one in reports if not one.reason).most_common()),
        "shorter_side": {name: int(value) for name, value in summary.items()},
    }


def _doubles(ids: np.ndarray, reports: list[ImageReport]) -> dict[str, Any]:
    """Files with the same content, and among different files, images that look alike."""
    same = duplicates.exact([one.content for one in reports])
    repeated = {row for group in same for row in group[1:]}
    rows = np.array([row for row, one in enumerate(reports) if not one.reason and row not in repeated], np.int64)
    alike = []
    if len(rows):
        sketches = zip(*(reports[row].sketch for row in rows), strict=True)
        alike = [rows[group].tolist() for group in duplicates.near(*map(np.stack, sketches))]
    return {"same_file": _groups(same, ids), "look_alike": _groups(alike, ids)}


def _groups(groups: list[list[int]], ids: np.ndarray) -> dict[str, Any]:
    return {
        "groups": len(groups),
        "extra": sum(len(group) - 1 for group in groups),
        "ids": [[str(ids[row]) for row in group] for group in groups[:SHOWN]],
    }
