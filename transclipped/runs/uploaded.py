"""Check of uploaded files: each is read as far as pages read it, and must fit the others.

The readers are those of `RunDir`; the further checks here apply to uploads only: a run fits into memory, brings no
program, and its files agree. No array or tensor is created before its shape is known to match its bytes.
"""

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

# Limits of files in bytes; Python takes up to 25 times as many for their content.
MAX_BYTES = {"config.json": 5e6, "metrics.json": 5e6, "status.json": 1e5, "split.json": 8e6, "events.jsonl": 8e6}
MAX_ARRAYS = 100_000_000  # bytes of retrieval.npz, unpacked; a million images with integer ids take 20,000,000
_SLOT = re.compile(r"[A-Za-z0-9_.]{1,240}")


def check(folder: Path) -> None:
    """Check every file of a run in `folder`. Raises InputError if one is damaged or does not fit the others."""
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
        raise InputError(f"import refused: {str(error).replace(f'{folder}{os.sep}', '')}") from error


def settle(folder: Path, name: str) -> None:
    """Adapt a checked run to this machine: its command and state are updated, its paths removed."""
    run = RunDir(folder)
    facts = {key: value for key in FOUND if (value := run.record.get(key)) is not None}
    config, missing = imported.without_sources(run.config)
    write_json(
        folder / "config.json", {"v": FORMAT, **to_dict(config), "command": command(config, f"runs/{name}"), **facts}
    )
    imported.mark(folder, missing)
    status = run.status()
    state = status["state"]
    if state == "running" or (state == "interrupted" and not (folder / "status.json").exists()):
        state = "stopped"
    error = {"error": status["error"]} if status.get("error") else {}
    write_json(folder / "status.json", {"v": FORMAT, "state": state, **error})


def _check_sizes(folder: Path) -> None:
    for name, most in MAX_BYTES.items():
        if (folder / name).exists() and (size := (folder / name).stat().st_size) > most:
            raise InputError(f"{name} has {size:,} bytes; the maximum is {most:,.0f}")


def _check_config(run: RunDir) -> None:
    config = run.config
    if config.plugin is not None:
        raise InputError(f"uploads may not run programs, but its settings name {config.plugin!r}")
    _ = RULES[config.clipping.rule], LOSSES[config.loss.name]


def _check_weights(run: RunDir) -> None:
    width = run.record.get("width")
    for epoch in [None, *run.epochs()]:
        if epoch is None and not (run.path / "model.safetensors").exists():
            continue
        head = run.head(epoch=epoch)
        if width is not None and head.projection.in_features != width:
            raise InputError(f"the head takes {head.projection.in_features} numbers, width in config.json is {width}")
    path = run.path / "last.safetensors"
    if path.exists():
        shapes = {name: entry.shape for name, entry in read_header(path).items()}
        if unknown := [name for name in shapes if not _SLOT.fullmatch(name)]:
            raise InputError(f"last.safetensors has the invalid name {unknown[0][:100]!r}")
        head = {name.removeprefix("model.").removeprefix("head."): shape for name, shape in shapes.items()}
        check_head(head, run.config.quantizer, source="last.safetensors")
        position(load_tensors(path, only=("step", "ended")), source="last.safetensors")
    for name in ("model.safetensors", "last.safetensors"):
        if (run.path / name).exists():
            _check_numbers(run.path / name)


def _check_numbers(path: Path) -> None:
    """Check that all floats of a file are finite, in pieces, since a trained network may be large."""
    for name, entry in read_header(path).items():
        if entry.dtype in FLOATS and not entry.is_finite(path):
            raise InputError(f"{path} has numbers that are not finite in {name}")


def _check_retrieval(run: RunDir) -> Retrieval | None:
    if not (run.path / "retrieval.npz").exists():
        return None
    stored, q = run.retrieval(most_bytes=MAX_ARRAYS), run.config.quantizer
    if stored.codebooks.shape != (q.codebooks, q.codewords, q.subspace):
        raise InputError(f"retrieval.npz has codebooks {[*stored.codebooks.shape]}, the settings give another shape")
    if not len(stored.codes) or not len(stored.queries):
        raise InputError("retrieval.npz has no database images, or no queries")
    for side in ("database", "query"):
        ids, labels = getattr(stored, f"{side}_ids"), getattr(stored, f"{side}_labels")
        if len(np.unique(ids)) != len(ids):
            raise InputError(f"retrieval.npz repeats ids of {side} images")
        if labels is not None and not run.record.get("class_names"):
            raise InputError("retrieval.npz has labels, but config.json has no class names")
    if (stored.database_labels is None) != (stored.query_labels is None):
        raise InputError("retrieval.npz has labels of one side only")
    return stored


def _check_metrics(run: RunDir, stored: Retrieval | None) -> None:
    metrics = run.metrics()
    if metrics is not None and stored is not None and metrics["n_database"] != len(stored.codes):
        raise InputError(f"metrics.json has {metrics['n_database']} images, retrieval.npz {len(stored.codes)}")


def _check_events(path: Path) -> None:
    for number, event in enumerate(records.read_events(path), start=1):
        if event is None:
            raise InputError(f"events.jsonl line {number} is not a valid event")


def _check_status(run: RunDir) -> None:
    needed = ("metrics.json", "retrieval.npz", "model.safetensors")
    missing = [name for name in needed if not (run.path / name).exists()]
    if (run.path / "status.json").exists() and run.status()["state"] == "finished" and missing:
        raise InputError(f"it is finished, but lacks {', '.join(missing)}")
