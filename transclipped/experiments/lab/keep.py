"""Saves a head of a sweep as a run, which pages list, search and compare like any other.

The lab set holds a backbone's embeddings of CIFAR-10 images, rounded to 8 bits, so a head trained on it works with
that backbone on any image. The run is measured on the rounded embeddings too, as its config.json states; its command
trains the same head on images, without rounding.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from transclipped.clipping import amount_of
from transclipped.config import ClippingConfig
from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import Sweep, head_file, results
from transclipped.features.cache import Progress
from transclipped.features.labset import LabSet, lab_config
from transclipped.flags import command
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs.manage import check_name
from transclipped.runs.run import FORMAT, RunDir, write_config
from transclipped.runs.session import Session, prepare
from transclipped.training.evaluation import measure
from transclipped.utils.files import read_json, replacing, write_json

ROUNDED = "lab set, 8 bits"  # for config.json: the embeddings for training and measuring


def keep(lab: LabSet, sweep: Sweep, clipping: ClippingConfig, *, folder: Path, path: Path) -> RunDir:
    """Save the head that a sweep in `folder` trained with this clipping as a run at `path`, atomically.

    Raises:
        InputError: the head does not exist, the name is invalid, `path` exists, the lab set does not match the
            backbone, or the disk is full.
    """
    check_name(path.name)
    if path.exists():
        raise InputError(f"{path} exists already; choose another name")
    trained = head_file(folder, clipping)
    if not trained.exists():
        raise InputError("the sweep did not keep this head; train it again, then save it")
    session = prepare(lab_config(lab, clipping=clipping, temperature=sweep.temperature, seed=sweep.seed))
    _check(lab, session)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            run = RunDir(Path(scratch) / "run")
            _write(lab, session, trained, run.path, name=path.name)
            setting = (clipping.rule, amount_of(clipping))
            durations = [
                r["seconds"] for r in results(folder) if (r["rule"], r["amount"]) == setting and "seconds" in r
            ]
            seconds = {"training": durations[-1]} if durations else {}
            for _ in measure(replace(session, cache=_Rounded(lab)), run, seconds=seconds):
                pass
            write_json(run.path / "status.json", {"v": FORMAT, "state": "finished"})
            path.parent.mkdir(parents=True, exist_ok=True)
            os.rename(run.path, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; free some space or choose another name") from error
    return RunDir(path)


def _check(lab: LabSet, session: Session) -> None:
    """InputError unless the lab set holds the backbone's embeddings of the split's images."""
    if lab.about["projected"] or lab.width != session.backbone.width:
        raise InputError("the lab set holds projected embeddings, so its heads do not fit the backbone; use train")
    if lab.about["fingerprint"] != session.backbone.fingerprint:
        raise InputError(
            f"the lab set was computed with other weights of {session.backbone.name}; rebuild it with `lab build`"
        )
    pairs = ((lab.rows, session.split.database), (lab.query_rows, session.split.query))
    if not all(np.array_equal(ours, theirs) for ours, theirs in pairs):
        raise InputError("the lab set holds other images than its configuration; rebuild it with `lab build`")


def _write(lab: LabSet, session: Session, trained: Path, made: Path, *, name: str) -> None:
    config = session.config
    (made / "epochs").mkdir(parents=True)
    write_config(made, config, **session.facts(), features=ROUNDED)
    record = read_json(made / "config.json")
    write_json(made / "config.json", record | {"command": command(config, f"runs/{name}")})
    write_json(made / "split.json", session.split.to_json(session.images))
    state = load_tensors(trained)
    save_tensors(made / "model.safetensors", state)
    last = f"epochs/{config.schedule.epochs}.safetensors"
    save_tensors(made / last, {name: tensor.half() for name, tensor in state.items()})
    _write_events(read_json(trained.with_suffix(".json")), made / "events.jsonl")


def _write_events(events: list[dict], path: Path) -> None:
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise InputError("the sweep's events of this training are damaged; train the head again")
    now = round(time.time(), 3)
    lines = [json.dumps({"v": FORMAT, "t": now, **event}) for event in events]
    ended = {"epoch": 0.0, "step": 0} | {k: v for k, v in (events or [{}])[-1].items() if k in ("epoch", "step")}
    lines.append(json.dumps({"v": FORMAT, "t": now, "kind": "state", **ended, "state": "finished"}))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Rounded:
    """The lab set's embeddings, in place of a feature cache with the plain view of the split's rows."""

    def __init__(self, lab: LabSet) -> None:
        self._rows = np.concatenate([lab.rows, lab.query_rows])
        self._features = np.concatenate([lab.features[0], lab.query_features])
        self._order = np.argsort(self._rows)

    def fill(self, view: int, rows: np.ndarray, *, device: str) -> Iterator[Progress]:
        """All rows are filled already."""
        yield from ()

    def view(self, number: int) -> _Rounded:
        """The plain view, the only one."""
        return self

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings `[n, F]` float16."""
        return self._features[self._order[np.searchsorted(self._rows, rows, sorter=self._order)]]
