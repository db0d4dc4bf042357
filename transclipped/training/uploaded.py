"""Whether files from elsewhere are a run: every file is read as far as pages will read it, and must fit the others.

Nothing is unpickled, no array is made before its size is known to be that of its file, and settings that would make
this machine run code are refused.
"""

from __future__ import annotations

import json
import math
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transclipped.clipping import rule_named
from transclipped.config import to_dict
from transclipped.errors import InputError
from transclipped.files import read_json, write_json
from transclipped.flags import command
from transclipped.losses import loss_named
from transclipped.models.network import head_from_state
from transclipped.models.weights import load_tensors
from transclipped.training import imported
from transclipped.training.run import FORMAT, Retrieval, RunDir

STATES = ("running", "stopped", "interrupted", "failed", "finished")
MODES = ("asymmetric", "symmetric", "float")
MAX_JSON = 5_000_000  # bytes of config.json, metrics.json, status.json each
MAX_EVENTS = 20_000_000  # bytes of events.jsonl
MAX_ARRAYS = 300_000_000  # bytes of retrieval.npz, unpacked
MAX_CLASSES, LONGEST_TEXT = 10_000, 2_000
FOUND = {  # what config.json holds beside the settings, and its type
    "data_fingerprint": str, "backbone_fingerprint": str, "width": int, "image_size": int, "native_size": int,
    "class_names": list, "versions": dict,
}  # fmt: skip
_SLOT = re.compile(r"[A-Za-z0-9_.]{1,240}")
_HEADER = 4096  # bytes that the header of an array may take


def check(folder: Path) -> None:
    """Look at every file of a run in `folder`.

    Raises:
        InputError: a file is damaged, is not what its name says, or does not fit the others.
    """
    run = RunDir(folder)
    try:
        _check_config(run)
        _check_weights(run)
        stored = _check_retrieval(run)
        _check_metrics(run, stored)
        _check_events(run)
        _check_rest(run)
    except InputError as error:
        raise InputError(f"the run was not taken in: {str(error).replace(f'{folder}{os.sep}', '')}") from error


def settle(folder: Path, *, name: str) -> None:
    """Make a checked run one of this machine: its command names it, nobody here is training it, no path of it stays."""
    run = RunDir(folder)
    found = {key: value for key in FOUND if (value := run.record.get(key)) is not None}
    config, missing = imported.without_sources(run.config)
    write_json(
        folder / "config.json", {"v": FORMAT, **to_dict(config), "command": command(config, f"runs/{name}"), **found}
    )
    imported.mark(folder, missing)
    status = read_json(folder / "status.json") if (folder / "status.json").exists() else {}
    state = status.get("state", "finished" if (folder / "metrics.json").exists() else "stopped")
    kept = {"v": FORMAT, "state": "stopped" if state == "running" else state}
    write_json(folder / "status.json", kept | ({"error": status["error"]} if status.get("error") else {}))


def _check_config(run: RunDir) -> None:
    record, config = _object(run.path / "config.json"), run.config
    if config.plugin is not None:
        raise InputError(f"its settings ask to run the program {config.plugin!r}; a run that brings one is refused")
    rule_named(config.clipping.rule)
    loss_named(config.loss.name)
    for key, kind in FOUND.items():
        value = record.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise InputError(f"config.json has {key} = {value!r}; expected {kind.__name__}")
    names = record.get("class_names") or []
    if len(names) > MAX_CLASSES or not all(isinstance(n, str) and len(n) < LONGEST_TEXT for n in names):
        raise InputError(f"config.json must list at most {MAX_CLASSES:,} class names")


def _check_weights(run: RunDir) -> None:
    width = run.record.get("width")
    for epoch in [None, *run.epochs()]:
        if epoch is None and not (run.path / "model.safetensors").exists():
            continue
        head = run.head(epoch=epoch)
        if not all(torch.isfinite(p).all() for p in head.parameters()):
            raise InputError(f"the head of epoch {epoch or 'last'} holds numbers that are not finite")
        if width is not None and head.projection.in_features != width:
            raise InputError(f"the head takes {head.projection.in_features} numbers, config.json says {width}")
    if (run.path / "last.safetensors").exists():
        state = load_tensors(run.path / "last.safetensors")
        if unknown := [name for name in state if not _SLOT.fullmatch(name)]:
            raise InputError(f"last.safetensors holds {unknown[0][:100]!r}, which is no part of a training's state")
        if "step" not in state or state["step"].numel() != 1:
            raise InputError("last.safetensors does not say at which step it was saved")
        head = {name.removeprefix("model.").removeprefix("head."): tensor for name, tensor in state.items()}
        head_from_state(head, run.config.quantizer, source="last.safetensors")


def _check_retrieval(run: RunDir) -> Retrieval | None:
    path = run.path / "retrieval.npz"
    if not path.exists():
        return None
    _check_arrays(path)
    stored, q = Retrieval.load(path), run.config.quantizer
    if stored.codebooks.shape != (q.codebooks, q.codewords, q.subspace):
        raise InputError(f"retrieval.npz has codebooks {[*stored.codebooks.shape]}, the settings ask for other ones")
    if not all(a.dtype.kind == "f" and np.isfinite(a).all() for a in (stored.codebooks, stored.queries)):
        raise InputError("retrieval.npz holds numbers that are not finite")
    if not len(stored.codes) or not len(stored.queries):
        raise InputError("retrieval.npz holds no picture to search, or none to ask for")
    classes = len(run.record.get("class_names") or [])
    for side in ("database", "query"):
        ids, labels = getattr(stored, f"{side}_ids"), getattr(stored, f"{side}_labels")
        if ids.ndim != 1 or ids.dtype.kind not in "iU" or len(np.unique(ids)) != len(ids):
            raise InputError(f"retrieval.npz must name each {side} picture once, by a number or a path")
        if labels is not None:
            _check_labels(labels, len(ids), classes)
    if (stored.database_labels is None) != (stored.query_labels is None):
        raise InputError("retrieval.npz has labels of one side only")
    return stored


def _check_labels(labels: np.ndarray, n: int, classes: int) -> None:
    single = labels.ndim == 1 and labels.dtype.kind in "iu" and (not n or -1 <= labels.min() <= labels.max() < classes)
    several = labels.ndim == 2 and labels.dtype.kind in "iub" and labels.shape[1] == classes
    if len(labels) != n or not (single or (several and (not labels.size or 0 <= labels.min() <= labels.max() <= 1))):
        raise InputError(
            f"retrieval.npz has labels {[*labels.shape]} that do not fit {n} pictures of {classes} classes"
        )


def _check_arrays(path: Path) -> None:
    """Every array's header must announce as many bytes as its file holds, and no Python objects."""
    total = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                total += entry.file_size
                with archive.open(entry) as file:
                    version = np.lib.format.read_magic(file)
                    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                    shape, _, dtype = read[version](file, max_header_size=_HEADER)
                    bytes_of_data = entry.file_size - file.tell()
                if dtype.hasobject or math.prod(shape) * dtype.itemsize != bytes_of_data or total > MAX_ARRAYS:
                    raise InputError(f"retrieval.npz holds {entry.filename[:100]!r}, which is not a plain array")
    except InputError:
        raise
    except Exception as error:  # zipfile and numpy raise many kinds for one damaged file
        raise InputError(f"retrieval.npz is damaged ({error})") from error


def _check_metrics(run: RunDir, stored: Retrieval | None) -> None:
    if not (run.path / "metrics.json").exists():
        return
    metrics = _object(run.path / "metrics.json")
    for key in ("k", "n_queries", "n_database", "bytes_per_item"):
        if type(metrics.get(key)) is not int or metrics[key] < 0:
            raise InputError(f"metrics.json has {key} = {metrics.get(key)!r}; expected a whole number")
    if stored is not None and metrics["n_database"] != len(stored.codes):
        raise InputError(
            f"metrics.json tells of {metrics['n_database']} pictures, retrieval.npz of {len(stored.codes)}"
        )
    if metrics.get("label_kind") not in ("single", "multi", "none"):
        raise InputError(f"metrics.json has label_kind = {metrics.get('label_kind')!r}")
    modes = metrics.get("modes")
    if not isinstance(modes, dict) or not set(modes) <= set(MODES):
        raise InputError(f"metrics.json must have modes among {', '.join(MODES)}")
    seconds = metrics.get("seconds", {})
    if not isinstance(seconds, dict) or not all(_positive(value) for value in seconds.values()):
        raise InputError("metrics.json has seconds that are no numbers")
    for mode, found in modes.items():
        _check_mode(mode, found)


def _check_mode(mode: str, found: Any) -> None:
    per_class = found.get("per_class") if isinstance(found, dict) else None
    curves = [("precision", "k", "value"), ("recall", "k", "value"), ("precision_recall", "recall", "precision")]
    fits = (
        isinstance(found, dict)
        and all(found.get(name) is None or _share(found[name]) for name in ("map", "map_tie_aware"))
        and (per_class is None or (isinstance(per_class, dict) and all(_share(v) for v in per_class.values())))
        and all(_curve(found.get(name), x, y) for name, x, y in curves)
    )
    if not fits:
        raise InputError(f"metrics.json holds figures of {mode} search that are not from 0 to 1")


def _curve(value: Any, x: str, y: str) -> bool:
    if value is None:
        return True
    xs, ys = (value.get(x), value.get(y)) if isinstance(value, dict) else (None, None)
    return (
        isinstance(xs, list)
        and isinstance(ys, list)
        and len(xs) == len(ys)
        and all(_positive(v) for v in xs)
        and all(_share(v) for v in ys)
    )


def _share(value: Any) -> bool:
    return value is None or (_positive(value) and value <= 1.0001)


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf


def _check_events(run: RunDir) -> None:
    path = run.path / "events.jsonl"
    if not path.exists():
        return
    if path.stat().st_size > MAX_EVENTS:
        raise InputError(f"events.jsonl has {path.stat().st_size:,} bytes; at most {MAX_EVENTS:,} are read")
    with path.open(encoding="utf-8", errors="strict") as file:
        try:
            events = [json.loads(line) for line in file if line.strip()]
        except (ValueError, RecursionError) as error:
            raise InputError(f"events.jsonl is damaged ({error})") from error
    for number, event in enumerate(events, start=1):
        named = isinstance(event, dict) and isinstance(event.get("kind"), str) and _positive(event.get("epoch"))
        if not named or type(event.get("step")) is not int or not all(_plain(v) for v in event.values()):
            raise InputError(f"events.jsonl line {number} is no event of a training")


def _plain(value: Any) -> bool:
    number = isinstance(value, int | float) and math.isfinite(value)
    return number or (isinstance(value, str) and len(value) < LONGEST_TEXT)


def _check_rest(run: RunDir) -> None:
    status = _object(run.path / "status.json") if (run.path / "status.json").exists() else {"state": "stopped"}
    error = status.get("error", "")
    if status.get("state") not in STATES or not isinstance(error, str) or len(error) > LONGEST_TEXT:
        raise InputError(f"status.json has the state {status.get('state')!r}; expected one of {', '.join(STATES)}")
    needed = ("metrics.json", "retrieval.npz", "model.safetensors")
    if status["state"] == "finished" and (missing := [n for n in needed if not (run.path / n).exists()]):
        raise InputError(f"it is finished, but lacks {', '.join(missing)}")
    split = run.path / "split.json"
    if split.exists() and not isinstance(read_json(split), dict):
        raise InputError("split.json holds no split")


def _object(path: Path) -> dict[str, Any]:
    """A JSON object of reasonable size."""
    if path.stat().st_size > MAX_JSON:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes; at most {MAX_JSON:,} are read")
    value = read_json(path)
    if not isinstance(value, dict):
        raise InputError(f"{path} holds no JSON object")
    return value
