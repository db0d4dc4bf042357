"""What a run says of itself in JSON: one reader for each file, which checks every value that others read.

    config.json  settings, and what they led to      metrics.json  what was measured
    status.json  how its training stands             events.jsonl  what was logged
    queued.json  that it waits for its training      collection.json  of an encoded collection

A reader gives values of the types and ranges written here, or ends in an InputError with the file's name and what to
do; pages, commands and the check of uploaded runs read through the same functions. Numbers are finite, texts can be
written again, and absent keys are absent: whoever reads says what that means.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from transclipped.errors import InputError, quoted

FORMAT = 1
STATES = ("running", "stopped", "interrupted", "failed", "finished")
MODES = ("asymmetric", "symmetric", "float")
KINDS = ("single", "multi", "none")  # of labels
MAX_JSON = 100_000_000  # bytes of a file; of uploads far less is read
MAX_CLASSES, LONGEST_TEXT = 1_000_000, 4096
MAX_WHOLE = 2**53  # every program can hold it
MAX_NUMBER = 1e300
MAX_WIDTH = 2**24  # numbers in a backbone's embedding
MAX_SIDE = 2048  # pixels
FOUND = {  # what config.json holds beside the settings
    "data_fingerprint": "text or none",
    "backbone_fingerprint": "text or none",
    "width": "width or none",
    "image_size": "side or none",
    "native_size": "side or none",
    "class_names": "names",
    "versions": "texts",
    "features": "text or none",
}
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # half of a character, which no file can hold

Check = Callable[[Any], bool]


def read_object(path: Path, *, remedy: str) -> dict[str, Any]:
    """A JSON object of finite numbers.

    Raises:
        InputError: the file is missing, too long, no JSON, or holds something else.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON + 1)
        if len(content) > MAX_JSON:
            raise ValueError(f"it has more than {MAX_JSON:,} bytes")
        value = parsed(content.decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}; {remedy}") from error
    except (ValueError, RecursionError) as error:  # nested too deeply
        raise InputError(f"{path} is not valid JSON ({str(error)[:200]}); {remedy}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object; {remedy}")
    return value


def parsed(text: str) -> Any:
    """Value of a JSON text whose numbers are finite and whose texts can be written again.

    Raises:
        ValueError: it is no JSON, or holds other values.
        RecursionError: it is nested too deeply.
    """
    value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    if _HALF.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def read_config(path: Path) -> dict[str, Any]:
    """config.json: settings as they stand, with command, versions and fingerprints.

    Raises:
        InputError: it is damaged. The settings are checked by `config.from_dict`.
    """
    remedy = "restore it or train the run again"
    record = read_object(path, remedy=remedy)
    if record.get("v") != FORMAT:
        raise InputError(f"{path} is not of this version (v = {FORMAT}); {remedy}")
    _check(record, {**FOUND, "command": "command"}, path, remedy)
    return record


def read_metrics(path: Path) -> dict[str, Any]:
    """metrics.json: k, n_queries, n_database, bytes_per_item and label_kind; modes with figures from 0 to 1; seconds.

    Raises:
        InputError: it is damaged.
    """
    remedy = "run `evaluate` on this run again"
    metrics = read_object(path, remedy=remedy)
    facts = dict.fromkeys(("k", "n_queries", "n_database", "bytes_per_item"), "count") | {"label_kind": "labels"}
    _check(metrics, facts, path, remedy, needed=True)
    _check(metrics, {"n_queries_stored": "count", "selection": "text", "seconds": "seconds"}, path, remedy)
    modes = metrics.get("modes")
    if not isinstance(modes, dict) or not set(modes) <= set(MODES):
        raise InputError(f"{path} must have modes among {', '.join(MODES)}; {remedy}")
    for mode, figures in modes.items():
        if not _is_mode(figures):
            raise InputError(f"{path} holds figures of {mode} search that are not from 0 to 1; {remedy}")
    return metrics


def read_status(path: Path) -> dict[str, Any]:
    """status.json as it stands: state, and of a training heartbeat, pid, started, stage, done, total, seconds_left.

    Raises:
        InputError: it is damaged.
    """
    remedy = "delete it"
    status = read_object(path, remedy=remedy)
    _check(status, {"state": "state"}, path, remedy, needed=True)
    kinds = {
        "heartbeat": "number",
        "pid": "id",
        "started": "text",
        "stage": "text",
        "done": "count",
        "total": "count",
        "seconds_left": "number or none",
    }
    _check(status, kinds, path, remedy)
    if not isinstance(status.get("error", ""), str):
        raise InputError(f"{path} has error = {quoted(status['error'])}; {remedy}")
    if "error" in status:
        status["error"] = status["error"][:LONGEST_TEXT]
    return status


def read_events(path: Path) -> Iterator[dict[str, Any] | None]:
    """Events of events.jsonl, line by line; None for a line that is none, such as a torn last one.

    A file that is not there, or cannot be read, has none.
    """
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            if line.strip():
                yield _event(line)


def read_queued(path: Path) -> dict[str, Any]:
    """queued.json: since when a training waits (`t`), its flags (`arguments`, None to resume), and more.

    Raises:
        InputError: it is missing or damaged.
    """
    remedy = "delete it"
    entry = read_object(path, remedy=remedy)
    _check(entry, {"t": "number"}, path, remedy, needed=True)
    kinds = {
        "seconds": "number or none",
        "tries": "count",
        "arguments": "flags or none",
        "pid": "id",
        "name": "text",
        "started": "text or none",
    }
    _check(entry, kinds, path, remedy)
    return entry


def read_collection(path: Path) -> dict[str, Any]:
    """collection.json: the model that encoded it, class names, folders, and the size at which images were seen.

    Raises:
        InputError: it is missing or damaged.
    """
    remedy = "run `encode` again to make it"
    record = read_object(path, remedy=remedy)
    _check(record, {"model": "text"}, path, remedy, needed=True)
    kinds = {"class_names": "names", "native_size": "side or none", "folders": "names", "n": "count"}
    _check(record, kinds, path, remedy)
    return record


def read_split(path: Path) -> dict[str, Any]:
    """split.json: ids by role.

    Raises:
        InputError: it is missing or damaged.
    """
    remedy = "train the run again"
    split = read_object(path, remedy=remedy)
    if not all(isinstance(split.get(role, []), list) for role in ("train", "query", "database", "validation")):
        raise InputError(f"{path} holds no split; {remedy}")
    return split


def _check(record: dict, kinds: dict[str, str], path: Path, remedy: str, *, needed: bool = False) -> None:
    for key, kind in kinds.items():
        kind, optional = kind.removesuffix(" or none"), kind.endswith(" or none")
        fits, expected = _KINDS[kind]
        value = record.get(key)
        if (needed or key in record) and not fits(value) and not (optional and value is None):
            raise InputError(f"{path} has {key} = {quoted(value)}; expected {expected}: {remedy}")


def _event(line: bytes) -> dict[str, Any] | None:
    """An event of a training: its kind, epoch and step, and finite numbers or short texts."""
    try:
        event = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict) or not _is_text(event.get("kind")):
        return None
    if not _is_number(event.get("epoch")) or not _is_count(event.get("step")):
        return None
    return event if all(_is_figure(v) or _is_text(v) for v in event.values()) else None


def _whole(text: str) -> int:
    if len(text) > 20 or not abs(value := int(text)) < 2**63:
        raise ValueError(f"a whole number of {len(text)} digits")
    return value


def _finite(text: str) -> float:
    value = float(text)  # "1e999", "NaN", "Infinity"
    if not math.isfinite(value):
        raise ValueError(f"a number that is not finite, {text[:20]}")
    return value


def _is_figure(value: Any) -> bool:
    return type(value) in (int, float) and -MAX_NUMBER < value < MAX_NUMBER  # NaN is neither


def _is_number(value: Any) -> bool:
    return _is_figure(value) and 0 <= value <= MAX_WHOLE


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_WHOLE


def _is_share(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1.0001


def _is_text(value: Any, longest: int = LONGEST_TEXT) -> bool:
    if not isinstance(value, str) or len(value) > longest:
        return False
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MAX_CLASSES and all(map(_is_text, value))


def _is_table(value: Any, of: Check) -> bool:
    return isinstance(value, dict) and all(map(of, value.values()))


def _is_mode(figures: Any) -> bool:
    """mAP, and where they were measured curves and mAP by class; all from 0 to 1."""
    if not isinstance(figures, dict) or not all(_is_share(figures.get(name)) for name in ("map", "map_tie_aware")):
        return False
    by_class = figures.get("per_class")
    curves = [("precision", "k", "value"), ("recall", "k", "value"), ("precision_recall", "recall", "precision")]
    return (by_class is None or _is_table(by_class, lambda share: share is None or _is_share(share))) and all(
        figures.get(name) is None or _is_curve(figures[name], x, y) for name, x, y in curves
    )


def _is_curve(value: Any, x: str, y: str) -> bool:
    xs, ys = (value.get(x), value.get(y)) if isinstance(value, dict) else (None, None)
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        return False
    return all(map(_is_number, xs)) and all(map(_is_share, ys))


_KINDS: dict[str, tuple[Check, str]] = {  # what a value may be, and how a message says it
    "text": (_is_text, "a short text"),
    "command": (lambda v: _is_text(v, 100_000), "a text"),
    "texts": (lambda v: _is_table(v, _is_text), "a table of short texts"),
    "names": (_is_names, f"at most {MAX_CLASSES:,} short texts"),
    "count": (_is_count, "a whole number, 0 or more"),
    "id": (lambda v: _is_count(v) or (type(v) is int and v == -1), "the number of a process"),
    "number": (_is_number, "a number, 0 or more"),
    "seconds": (lambda v: _is_table(v, _is_number), "a table of numbers, 0 or more"),
    "width": (lambda v: _is_count(v) and 1 <= v <= MAX_WIDTH, f"a whole number from 1 to {MAX_WIDTH:,}"),
    "side": (lambda v: _is_count(v) and 1 <= v <= MAX_SIDE, f"a whole number from 1 to {MAX_SIDE:,}"),
    "labels": (lambda v: v in KINDS, f"one of {', '.join(KINDS)}"),
    "state": (lambda v: v in STATES, f"one of {', '.join(STATES)}"),
    "flags": (_is_names, "a list of texts"),
}
