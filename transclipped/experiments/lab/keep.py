"""A head of a sweep as a run: pages list it, search with it and compare it like any other.

The lab set holds a backbone's own embeddings of images of CIFAR-10, rounded to 8 bits. So a head that was trained on
it works behind that backbone on any image. What becomes of the rounding: the run is measured on the rounded
embeddings too, which config.json says, and `train` with its command does the same from images without rounding.
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

ROUNDED = "lab set, 8 bits"  # told in config.json as what was trained and measured on


def keep(lab: LabSet, sweep: Sweep, clipping: ClippingConfig, *, folder: Path, path: Path) -> RunDir:
    """Make a run at `path` of the head that a sweep in `folder` has trained with this clipping.

    The run appears whole or not at all.

    Raises:
        InputError: there is no such head, the name is not fit, `path` exists, the lab set holds no embeddings that the
            backbone gives, or the disk is full.
    """
    check_name(path.name)
    if path.exists():
        raise InputError(f"{path} exists already; choose another name")
    trained = head_file(folder, clipping)
    if not trained.exists():
        raise InputError("the sweep did not keep this head; train it again, then it can be made a run")
    session = prepare(lab_config(lab, clipping=clipping, temperature=sweep.temperature, seed=sweep.seed))
    _check(lab, session)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            made = Path(scratch) / "run"
            _write(lab, session, trained, made, name=path.name)
            _measured(lab, session, RunDir(made), seconds=_seconds(folder, clipping))
            path.parent.mkdir(parents=True, exist_ok=True)
            os.rename(made, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; free some space or choose another name") from error
    return RunDir(path)


def _check(lab: LabSet, session: Session) -> None:
    """What the head learnt from must be what the backbone gives, of the images that the split names."""
    if lab.about["projected"] or lab.width != session.backbone.width:
        raise InputError("the lab set holds projected embeddings, which the head needs and no image gives; use train")
    if lab.about["fingerprint"] != session.backbone.fingerprint:
        raise InputError(
            f"the lab set comes from other weights of {session.backbone.name} than those that are here; "
            "`lab build` makes it anew"
        )
    pairs = ((lab.rows, session.split.database), (lab.query_rows, session.split.query))
    if not all(np.array_equal(ours, theirs) for ours, theirs in pairs):
        raise InputError("the lab set shows other images than its setting names; `lab build` makes it anew")


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


def _measured(lab: LabSet, session: Session, run: RunDir, *, seconds: dict[str, float]) -> None:
    for _ in measure(replace(session, cache=_Rounded(lab)), run, seconds=seconds):
        pass
    write_json(run.path / "status.json", {"v": FORMAT, "state": "finished"})


def _seconds(folder: Path, clipping: ClippingConfig) -> dict[str, float]:
    """What the training took, as the sweep tells."""
    amount = amount_of(clipping)
    told = [r for r in results(folder) if (r["rule"], r["amount"]) == (clipping.rule, amount)]
    return {"training": told[-1]["seconds"]} if told and "seconds" in told[-1] else {}


def _write_events(events: list[dict], path: Path) -> None:
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise InputError("the sweep's notes of this training are damaged; train the head again")
    now = round(time.time(), 3)
    lines = [json.dumps({"v": FORMAT, "t": now, **event}) for event in events]
    ended = {"epoch": 0.0, "step": 0} | {k: v for k, v in (events or [{}])[-1].items() if k in ("epoch", "step")}
    lines.append(json.dumps({"v": FORMAT, "t": now, "kind": "state", **ended, "state": "finished"}))
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Rounded:
    """The lab set's embeddings, in the place of a feature cache that holds the plain view of the split's rows."""

    def __init__(self, lab: LabSet) -> None:
        self._rows = np.concatenate([lab.rows, lab.query_rows])
        self._features = np.concatenate([lab.features[0], lab.query_features])
        self._order = np.argsort(self._rows)

    def fill(self, view: int, rows: np.ndarray, *, device: str) -> Iterator[Progress]:
        """Everything is there."""
        yield from ()

    def view(self, number: int) -> _Rounded:
        """The plain one."""
        return self

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings `[n, F]` float16."""
        return self._features[self._order[np.searchsorted(self._rows, rows, sorter=self._order)]]
