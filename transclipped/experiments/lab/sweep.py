"""A sweep trains and measures a head on the lab set for each of several clipping settings.

Only clipping differs: the seed, and so initial weights, batches and views, are the same. `none` comes first as the
baseline, then more and more clipping, then `adaptive`. A sweep is a folder; a stopped one can resume:

    settings.json   the sweep                           results.jsonl   one line per finished head
    status.json     state, pid, progress of the head    stop            a file that ends the sweep
    heads/          each head and the events of its training, for `keep.py`
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transclipped.clipping import DELTA, amount_of, clip, swept, with_amount
from transclipped.config import ClippingConfig, LossConfig, RunConfig
from transclipped.errors import InputError
from transclipped.features.labset import LabSet, lab_config
from transclipped.flags import command
from transclipped.losses import cosines
from transclipped.models.head import Head
from transclipped.models.weights import save_tensors
from transclipped.training.evaluation import quick_map
from transclipped.training.sources import CachedViews
from transclipped.training.threads import on_fastest_threads
from transclipped.training.trainer import Event, Trainer
from transclipped.utils.files import append_json_line, hold, json_lines, read_json, write_json

DEFAULT_HEADS = 5  # amounts of a sweep by default, those that clip least
MARKED = ClippingConfig(rule="adaptive", sigma=2.0)  # trained in every sweep, for comparison
LAST_EPOCHS = 4  # last epochs, over which the training's metrics are averaged
WRITE_EVERY = 0.25  # seconds between two updates of the status
SILENCE = 20.0  # seconds without an update after which a sweep counts as interrupted
SURE = 0.1  # share of a head's training after which its speed predicts the time left
STEPS_KEPT = 5  # one step in this many is kept as an event
STATE, RESULTS, SETTINGS, STOP, HEADS = "status.json", "results.jsonl", "settings.json", "stop", "heads"

Watch = Callable[[Event, Head], None]


class Stopped(Exception):
    """The sweep was stopped on request."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """The settings of a sweep: a rule from `clipping.swept`, one amount per head, and settings of all heads."""

    rule: str = "threshold"
    amounts: tuple[float, ...] = DELTA.tried[:DEFAULT_HEADS]
    temperature: float = 0.3
    treatment: str = "remove"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in swept():
            raise InputError(f"a sweep cannot vary the rule {self.rule!r}; choose {', '.join(swept())}")
        LossConfig(temperature=self.temperature)
        self.settings()  # an InputError if an amount is invalid

    @property
    def key(self) -> str:
        """Hash of the settings, 12 hex digits."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]

    def settings(self) -> list[ClippingConfig]:
        """None, the amounts in their order, and `MARKED` if it is not one of them."""
        tried = [with_amount(self.rule, amount, treatment=self.treatment) for amount in self.amounts]
        marked = replace(MARKED, treatment=self.treatment)
        return [ClippingConfig(rule="none"), *tried, *([] if marked in tried else [marked])]


def head_file(folder: Path, clipping: ClippingConfig) -> Path:
    """File of a setting's head; the events of its training are beside it, as JSON."""
    amount = amount_of(clipping)
    return folder / HEADS / f"{clipping.rule}{'' if amount is None else f'-{amount:g}'}.safetensors"


def train_head(lab: LabSet, config: RunConfig, *, watch: Watch = lambda event, head: None) -> Head:
    """A head trained on the lab set.

    Args:
        watch: called after each step and epoch; its exceptions end the training.

    Raises:
        InputError: the batch is larger than the lab set, or the loss became NaN or infinite.
    """
    source = CachedViews(lab.features, np.arange(len(lab)), seed=config.seed)
    head = Head.from_config(lab.width, config.quantizer, generator=torch.Generator().manual_seed(config.seed))
    trainer = Trainer(head, source, config, labels=lab.labels, log_codes=False)
    for event in on_fastest_threads(trainer.events()):
        watch(event, head)
    return head.eval()


def measured(lab: LabSet, head: Head, config: RunConfig) -> float:
    """mAP@K of the queries against the plain view by asymmetric search, in [0, 1]."""
    return quick_map(
        head,
        lab.query_features,
        lab.features[0],
        query_labels=lab.query_labels,
        database_labels=lab.labels,
        k=config.k or len(lab),
    )


@torch.inference_mode()
def mean_level(lab: LabSet, head: Head, config: RunConfig) -> float | None:
    """Mean cosine above which the rule clips under a trained head, in a batch of the configured size.

    It compares a rule without a fixed δ with the others; None if nothing is clipped.
    """
    rows = np.arange(min(config.schedule.batch, len(lab)))
    codes = head(torch.from_numpy(np.concatenate([lab.features[0][rows], lab.features[1][rows]])))
    clipped = clip(cosines(codes.quantized.flatten(1)), config.clipping)
    anchors = clipped.mask.any(1)
    return float(clipped.level[anchors].mean()) if anchors.any() else None


def result_of(
    lab: LabSet, config: RunConfig, *, watch: Watch = lambda event, head: None, keep: Path | None = None
) -> dict[str, Any]:
    """Train and measure one setting; returns a line of results.jsonl.

    Args:
        keep: folder for the head and the events of its training, see `head_file`.
    """
    started, epochs, events = time.monotonic(), [], []

    def record(event: Event, head: Head) -> None:
        if event.kind == "epoch":
            epochs.append(event.values)
        if event.kind == "epoch" or event.step % STEPS_KEPT == 1:
            events.append({"kind": event.kind, "epoch": event.epoch, "step": event.step, **event.values})
        watch(event, head)

    head = train_head(lab, config, watch=record)
    if keep is not None:
        path = head_file(keep, config.clipping)
        save_tensors(path, head.state_dict())
        write_json(path.with_suffix(".json"), events)
    last = epochs[-LAST_EPOCHS:]
    precision = [values["clip_precision"] for values in last if "clip_precision" in values]
    delta, rule = mean_level(lab, head, config), config.clipping.rule
    return {
        "rule": rule,
        "amount": amount_of(config.clipping),
        "treatment": config.clipping.treatment,
        "temperature": config.loss.temperature,
        "seed": config.seed,
        "map": round(measured(lab, head, config), 5),
        "k": config.k,
        "clip_fraction": round(float(np.mean([values["clip_fraction"] for values in last])), 5),
        "clip_precision": round(float(np.mean(precision)), 5) if precision else None,
        "delta": None if delta is None else round(delta, 4),
        "seconds": round(time.monotonic() - started, 2),
        "command": command(config, f"runs/lab-{rule}"),
    }


def run_sweep(lab: LabSet, sweep: Sweep, folder: Path, *, tell: Callable[[dict], None] = lambda result: None) -> None:
    """Train the heads that a sweep lacks.

    Args:
        tell: called with each new result.

    Raises:
        Stopped: the stop file exists.
        InputError: the disk is full, a training failed, or the folder holds another sweep.
    """
    if (folder / SETTINGS).exists():  # other amounts are allowed, other settings are not
        earlier, now = read_json(folder / SETTINGS), json.loads(json.dumps(asdict(sweep)))
        if not isinstance(earlier, dict) or earlier | {"amounts": None} != now | {"amounts": None}:
            raise InputError(f"{folder} holds a sweep with other settings; choose another folder")
    with hold(folder):
        _train_all(lab, sweep, folder, tell)


def _train_all(lab: LabSet, sweep: Sweep, folder: Path, tell: Callable[[dict], None]) -> None:
    write_json(folder / SETTINGS, asdict(sweep))
    settings, done = sweep.settings(), {(r["rule"], r["amount"]) for r in results(folder)}
    note = {"state": "running", "pid": os.getpid(), "total": len(settings), "done": len(done), "t": time.time()}
    write_json(folder / STATE, note, durable=False)
    ending: dict[str, Any] = {"state": "stopped"}
    try:
        for clipping in settings:
            amount = amount_of(clipping)
            if (clipping.rule, amount) in done:
                continue
            note |= {"rule": clipping.rule, "amount": amount, "since": time.time()}
            config = lab_config(lab, clipping=clipping, temperature=sweep.temperature, seed=sweep.seed)
            result = result_of(lab, config, watch=_Notes(folder, note), keep=folder)
            append_json_line(folder / RESULTS, result)
            note["done"] += 1
            tell(result)
        ending = {"state": "finished"}
    except InputError as error:
        ending = {"state": "failed", "error": str(error)}
        raise
    finally:
        write_json(folder / STATE, note | ending | {"t": time.time()})
        (folder / STOP).unlink(missing_ok=True)


class _Notes:
    """Writes the progress of a training a few times per second; raises Stopped if the stop file exists."""

    def __init__(self, folder: Path, note: dict[str, Any]) -> None:
        self.folder, self.note, self.written = folder, note, 0.0

    def __call__(self, event: Event, head: Head) -> None:
        if time.monotonic() - self.written < WRITE_EVERY:
            return
        self.written = time.monotonic()
        if (self.folder / STOP).exists():
            raise Stopped
        note = self.note | {"step": event.step, "steps": event.total, "t": time.time()}
        write_json(self.folder / STATE, note, durable=False)


def results(folder: Path) -> list[dict[str, Any]]:
    """Results so far, in order of training; incomplete lines are skipped."""
    lines = json_lines(folder / RESULTS)
    return [line for line in lines if isinstance(line, dict) and {"rule", "amount", "map"} <= line.keys()]


def seconds_left(note: dict[str, Any], trained: list[dict[str, Any]], *, usual: float | None = None) -> float | None:
    """Seconds until a running sweep is done; None until its speed is known.

    Args:
        note: its status.
        trained: its results so far; the last one reflects the machine's current load best.
        usual: seconds per head of an earlier sweep, used until the first head's speed is known.
    """
    share = note.get("step", 0) / max(1, note.get("steps", 0))  # of the head in training
    spent = note.get("t", 0.0) - note.get("since", math.inf)
    heads = note["total"] - note["done"]
    if share < SURE:
        latest = trained[-1]["seconds"] if trained else usual
        return None if latest is None else latest * (heads - share)
    return spent / share * (heads - share) if spent > 0 else None


def status(folder: Path) -> dict[str, Any] | None:
    """The status of a sweep, None if it has not begun; "interrupted" if its last update is old."""
    try:
        note = read_json(folder / STATE)
    except InputError:
        return None
    if not isinstance(note, dict) or "state" not in note:
        return None
    silent = time.time() - note.get("t", 0) > SILENCE
    return note | {"state": "interrupted"} if note["state"] == "running" and silent else note
