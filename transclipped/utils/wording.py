"""Results of commands as readable lines; --json prints the keys instead, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

LINES = 10  # printed of a longer list
WIDTH = 34  # of the names
WORDS = {  # key, after its parents: name
    "dataset": "data set",
    "pictures": "images",
    "label_kind": "labels",
    "unlabelled": "without a label",
    "uses_labels": "training images chosen by label",
    "k": "K of mAP@K",
    "train": "training",
    "query": "queries",
    "classes train": "training, by class",
    "classes query": "queries, by class",
    "classes database": "database, by class",
    "classes validation": "validation, by class",
    "no_split": "cannot be split",
    "skipped": "left out",
    "listed": "listed images",
    "missing count": "missing",
    "missing names": "missing",
    "other_pictures": "images not in the lists",
    "sources": "read from",
    "notes": "note",
    "decoded": "readable",
    "damaged count": "damaged",
    "damaged pictures": "damaged",
    "shorter_side min": "shorter side in pixels, smallest",
    "shorter_side median": "shorter side in pixels, median",
    "shorter_side max": "shorter side in pixels, largest",
    "same_file groups": "groups of identical files",
    "same_file extra": "identical files beyond the first",
    "same_file ids": "identical",
    "look_alike groups": "groups of near-duplicates",
    "look_alike extra": "near-duplicates beyond the first",
    "look_alike ids": "near-duplicates",
    "seconds": "duration in seconds",
    "bytes": "size",
    "freed_bytes": "freed",
    "out": "file",
    "ids": "ids of its rows",
    "bytes_per_item": "bytes per item",
    "score_is_faiss_score_divided_by": "score (mean cosine of the codebooks)",
    "preprocessing": "preprocessing of images",
    "checked": "same output as torch",
}
VALUES = {
    "label_kind": {"none": "none", "single": "one per image", "multi": "several per image"}.get,
    "uses_labels": {True: "yes", False: "no"}.get,
    "checked": {True: "yes", False: "not checked, since onnxruntime is not installed"}.get,
    "score_is_faiss_score_divided_by": "faiss's score divided by {}".format,
    "bytes": lambda n: size(n),
    "freed_bytes": lambda n: size(n),
}
LEFT_OUT = ("v",)  # format version


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A line for each non-empty value, and for each item of a list up to `LINES`."""
    for key, value in result.items():
        if key not in LEFT_OUT:
            yield from _lines(key, value)


def size(n: int) -> str:
    """Bytes in words: 512 bytes, 3.4 MB."""
    for power, unit in ((3, "GB"), (2, "MB"), (1, "kB")):
        if n >= 1000**power:
            return f"{n / 1000**power:.1f} {unit}"
    return f"{n} bytes"


def _lines(key: str, value: Any) -> Iterator[str]:
    name = WORDS.get(key, key.replace("_", " "))
    if value is None or value in ([], {}, ""):
        return
    if key == "kinds":
        yield from (
            _line(kind, f"{size(v['bytes'])} in {v['files']} file{'s' * (v['files'] != 1)}: {v['what']}")
            for kind, v in value.items()
        )
    elif isinstance(value, dict) and key.startswith("classes "):
        if any(value.values()):
            yield _line(name, ", ".join(f"{label} {n}" for label, n in value.items()))
    elif isinstance(value, dict):
        for inner, one in value.items():
            yield from _lines(f"{key} {inner}", one)
    elif isinstance(value, list):
        yield from (_line(name, _item(item)) for item in value[:LINES])
        if len(value) > LINES:
            yield _line(name, f"… and {len(value) - LINES:,} more; --json or --names lists all")
    else:
        yield _line(name, VALUES[key](value) if key in VALUES else value)


def _line(name: str, value: Any) -> str:
    return f"{name:<{WIDTH}} {value}"


def _item(item: Any) -> str:
    if isinstance(item, dict) and item.keys() == {"id", "reason"}:
        return f"{item['id']}: {item['reason']}"
    return ", ".join(map(str, item)) if isinstance(item, list | tuple) else str(item)
