"""Whether files from elsewhere are a run: every file is read as far as pages will read it, and must fit the others.

The readers are those of `RunDir`; here stands what only a run from elsewhere must keep to: it fits into memory, brings
no program, and its files agree. No array or tensor is made before its shape is known to be that of its bytes.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from transclipped.clipping import RULES
from transclipped.config import to_dict
from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.losses import LOSSES
from transclipped.models.head import check_head
from transclipped.models.tensor_header import FLOATS, read_header
from transclipped.models.weights import load_tensors
from transclipped.retrieval.store import Retrieval
from transclipped.runs import imported, records
from transclipped.runs.checkpoint import position
from transclipped.runs.records import FORMAT, FOUND
from transclipped.runs.run import RunDir
from transclipped.utils.files import write_json

MAX_BYTES = {  # of a file; Python takes up to 25 times as many for what it holds
    "config.json": 5_000_000, "metrics.json": 5_000_000, "status.json": 100_000, "split.json": 8_000_000,
    "events.jsonl": 8_000_000,
}  # fmt: skip
MAX_ARRAYS = 100_000_000  # bytes of retrieval.npz, unpacked; a million images with numbers for names take 20,000,000
_SLOT = re.compile(r"[A-Za-z0-9_.]{1,240}")


def check(folder: Path) -> None:
    """Look at every file of a run in `folder`.

    Raises:
        InputError: a file is damaged, is not what its name says, or does not fit the others.
    """
    run = RunDir(folder)
    try:
        _check_sizes(folder)
        if (folder / "split.json").exists():
            records.read_split(folder / "split.json")
        _check_config(run)
        _check_weights(run)
        stored = _check_retrieval(run)
        _check_metrics(run, stored)
        _check_events(folder / "events.jsonl")
        _check_status(run)
    except InputError as error:
        raise InputError(f"the run was not taken in: {str(error).replace(f'{folder}{os.sep}', '')}") from error


def settle(folder: Path, *, name: str) -> None:
    """Make a checked run one of this machine: its command names it, it is not in training, no path of it stays."""
    run = RunDir(folder)
    found = {key: value for key in FOUND if (value := run.record.get(key)) is not None}
    config, missing = imported.without_sources(run.config)
    write_json(
        folder / "config.json", {"v": FORMAT, **to_dict(config), "command": command(config, f"runs/{name}"), **found}
    )
    imported.mark(folder, missing)
    status = run.status()
    state = "stopped" if status["state"] == "running" else status["state"]
    if not (folder / "status.json").exists() and state == "interrupted":
        state = "stopped"
    kept = {"v": FORMAT, "state": state}
    write_json(folder / "status.json", kept | ({"error": status["error"]} if status.get("error") else {}))


def _check_sizes(folder: Path) -> None:
    for name, most in MAX_BYTES.items():
        if (folder / name).exists() and (size := (folder / name).stat().st_size) > most:
            raise InputError(f"{name} has {size:,} bytes; at most {most:,} are read")


def _check_config(run: RunDir) -> None:
    config = run.config
    if config.plugin is not None:
        raise InputError(f"its settings ask to run the program {config.plugin!r}; a run that brings one is refused")
    _ = RULES[config.clipping.rule], LOSSES[config.loss.name]


def _check_weights(run: RunDir) -> None:
    width = run.record.get("width")
    for epoch in [None, *run.epochs()]:
        if epoch is None and not (run.path / "model.safetensors").exists():
            continue
        head = run.head(epoch=epoch)
        if width is not None and head.projection.in_features != width:
            raise InputError(f"the head takes {head.projection.in_features} numbers, config.json says {width}")
    path = run.path / "last.safetensors"
    if path.exists():
        shapes = {name: entry.shape for name, entry in read_header(path).items()}
        if unknown := [name for name in shapes if not _SLOT.fullmatch(name)]:
            raise InputError(f"last.safetensors holds {unknown[0][:100]!r}, which is no part of a training's state")
        head = {name.removeprefix("model.").removeprefix("head."): shape for name, shape in shapes.items()}
        check_head(head, run.config.quantizer, source="last.safetensors")
        position(load_tensors(path, only=("step", "ended")), source="last.safetensors")
    for name in ("model.safetensors", "last.safetensors"):
        if (run.path / name).exists():
            _check_numbers(run.path / name)


def _check_numbers(path: Path) -> None:
    """All floating-point numbers of a file are finite; read in pieces, since a trained network may be large."""
    for name, entry in read_header(path).items():
        if entry.dtype in FLOATS and not entry.is_finite(path):
            raise InputError(f"{path} holds {name} with numbers that are not finite")


def _check_retrieval(run: RunDir) -> Retrieval | None:
    if not (run.path / "retrieval.npz").exists():
        return None
    stored, q = run.retrieval(most_bytes=MAX_ARRAYS), run.config.quantizer
    if stored.codebooks.shape != (q.codebooks, q.codewords, q.subspace):
        raise InputError(f"retrieval.npz has codebooks {[*stored.codebooks.shape]}, the settings ask for other ones")
    if not len(stored.codes) or not len(stored.queries):
        raise InputError("retrieval.npz holds no image to search, or none to ask for")
    for side in ("database", "query"):
        ids, labels = getattr(stored, f"{side}_ids"), getattr(stored, f"{side}_labels")
        if len(np.unique(ids)) != len(ids):
            raise InputError(f"retrieval.npz must name each {side} image once, by a number or a path")
        if labels is not None and not run.record.get("class_names"):
            raise InputError("retrieval.npz has labels, but config.json names no classes")
    if (stored.database_labels is None) != (stored.query_labels is None):
        raise InputError("retrieval.npz has labels of one side only")
    return stored


def _check_metrics(run: RunDir, stored: Retrieval | None) -> None:
    metrics = run.metrics()
    if metrics is not None and stored is not None and metrics["n_database"] != len(stored.codes):
        raise InputError(f"metrics.json tells of {metrics['n_database']} images, retrieval.npz of {len(stored.codes)}")


def _check_events(path: Path) -> None:
    for number, event in enumerate(records.read_events(path), start=1):
        if event is None:
            raise InputError(f"events.jsonl line {number} is no event of a training")


def _check_status(run: RunDir) -> None:
    needed = ("metrics.json", "retrieval.npz", "model.safetensors")
    missing = [name for name in needed if not (run.path / name).exists()]
    if (run.path / "status.json").exists() and run.status()["state"] == "finished" and missing:
        raise InputError(f"it is finished, but lacks {', '.join(missing)}")
