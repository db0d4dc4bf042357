"""JSON files of a run: one reader for each, which checks every value that others use.

    config.json  settings, and facts about the run   metrics.json  measurements
    status.json  state of its training               events.jsonl  log of its training
    queued.json  place in the training queue         collection.json  of an encoded collection

A reader returns values of the types and ranges declared here, or raises an InputError with file name and remedy,
also if the file is missing; pages, commands and the check of uploaded runs use the same readers. Numbers are finite and
texts valid UTF-8. Missing optional keys stay missing.
"""

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
MAX_JSON = 100_000_000  # bytes of a file; the limit for uploads is far lower
MAX_CLASSES, LONGEST_TEXT = 1_000_000, 4096
MAX_WHOLE = 2**53  # exact as a float64
MAX_NUMBER = 1e300
MAX_WIDTH = 2**24  # numbers in a backbone's embedding
MAX_SIDE = 2048  # pixels


# "key=kind …" with the kinds of `_KINDS`; "?" allows null.
CONFIG = """data_fingerprint=text? backbone_fingerprint=text? width=width? image_size=side? native_size=side?
    class_names=names versions=texts features=text?"""  # beside the settings
FOUND = [pair.partition("=")[0] for pair in CONFIG.split()]
METRICS = "k=count n_queries=count n_database=count bytes_per_item=count label_kind=labels"
STATUS = "heartbeat=number pid=id started=text stage=text done=count total=count seconds_left=number?"
QUEUED = "seconds=number? tries=count arguments=flags? pid=id name=text started=text?"
COLLECTION = "class_names=names native_size=side? folders=names n=count"
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # half of a surrogate pair, which UTF-8 cannot encode

Check = Callable[[Any], bool]


def read_object(path: Path, *, remedy: str) -> dict[str, Any]:
    """A JSON object with finite numbers. Raises InputError if it is missing, too long, or anything else."""
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
        raise InputError(f"{path} is not a JSON object; {remedy}")
    return value


def parsed(text: str) -> Any:
    """Value of a JSON text with finite numbers and valid UTF-8; else ValueError, or RecursionError if nested deeply."""
    value = json.loads(text, parse_int=_whole, parse_float=_finite, parse_constant=_finite)
    if _HALF.search(text):
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def read_config(path: Path) -> dict[str, Any]:
    """config.json: unchecked settings (`config.from_dict` checks them), with command, versions and fingerprints."""
    remedy = "restore it or train the run again"
    record = _checked(path, "", f"{CONFIG} command=command", remedy=remedy)
    if record.get("v") != FORMAT:
        raise InputError(f"{path} is not of this version (v = {FORMAT}); {remedy}")
    return record


def read_metrics(path: Path) -> dict[str, Any]:
    """metrics.json: k, n_queries, n_database, bytes_per_item and label_kind; modes with values in [0, 1]; seconds."""
    remedy = "run `evaluate` on this run again"
    metrics = _checked(path, METRICS, "n_queries_stored=count selection=text seconds=seconds", remedy=remedy)
    modes = metrics.get("modes")
    if not isinstance(modes, dict) or not set(modes) <= set(MODES):
        raise InputError(f"{path} must have modes among {', '.join(MODES)}; {remedy}")
    for mode, values in modes.items():
        if not _is_mode(values):
            raise InputError(f"{path} has values of {mode} search that are not from 0 to 1; {remedy}")
    return metrics


def read_status(path: Path) -> dict[str, Any]:
    """status.json: state; of a training also heartbeat, pid, started, stage, done, total, seconds_left."""
    status = _checked(path, "state=state", STATUS, remedy="delete it")
    if not isinstance(status.get("error", ""), str):
        raise InputError(f"{path} has error = {quoted(status['error'])}; delete it")
    if "error" in status:
        status["error"] = status["error"][:LONGEST_TEXT]
    return status


def read_events(path: Path) -> Iterator[dict[str, Any] | None]:
    """Events of events.jsonl, line by line; None for an invalid line, such as a torn last one. No file, no events."""
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            if line.strip():
                yield _event(line)


def read_queued(path: Path) -> dict[str, Any]:
    """queued.json: when a training was queued (`t`), its flags (`arguments`, None to resume), and more."""
    return _checked(path, "t=number", QUEUED, remedy="delete it")


def read_collection(path: Path) -> dict[str, Any]:
    """collection.json: the model that encoded it, class names, folders, and the image size."""
    return _checked(path, "model=text", COLLECTION, remedy="run `encode` again to recreate it")


def read_split(path: Path) -> dict[str, Any]:
    """split.json: ids by role."""
    remedy = "train the run again"
    split = read_object(path, remedy=remedy)
    if not all(isinstance(split.get(role, []), list) for role in ("train", "query", "database", "validation")):
        raise InputError(f"{path} holds no split; {remedy}")
    return split


def _checked(path: Path, required: str, optional: str, *, remedy: str) -> dict[str, Any]:
    """A JSON object with values of these kinds, in the format of `CONFIG`."""
    record = read_object(path, remedy=remedy)
    pairs = [pair.split("=") for pair in f"{required} {optional}".split()]
    for number, (key, kind) in enumerate(pairs):
        fits, expected = _KINDS[kind.removesuffix("?")]
        value, absent = record.get(key), key not in record and number >= len(required.split())
        if not absent and not fits(value) and not (kind.endswith("?") and value is None):
            raise InputError(f"{path} has {key} = {quoted(value)}; expected {expected}: {remedy}")
    return record


def _event(line: bytes) -> dict[str, Any] | None:
    """An event with kind, epoch and step, and finite numbers or short texts; else None."""
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
        raise ValueError(f"an integer of {len(text)} digits")
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


def _is_mode(values: Any) -> bool:
    """mAP, and optional curves and mAP by class; all in [0, 1]."""
    if not isinstance(values, dict) or not all(_is_share(values.get(name)) for name in ("map", "map_tie_aware")):
        return False
    by_class = values.get("per_class")
    curves = [("precision", "k", "value"), ("recall", "k", "value"), ("precision_recall", "recall", "precision")]
    return (by_class is None or _is_table(by_class, lambda share: share is None or _is_share(share))) and all(
        values.get(name) is None or _is_curve(values[name], x, y) for name, x, y in curves
    )


def _is_curve(value: Any, x: str, y: str) -> bool:
    xs, ys = (value.get(x), value.get(y)) if isinstance(value, dict) else (None, None)
    if not isinstance(xs, list) or not isinstance(ys, list) or len(xs) != len(ys):
        return False
    return all(map(_is_number, xs)) and all(map(_is_share, ys))


_KINDS: dict[str, tuple[Check, str]] = {  # test of a value, and its description in messages
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
