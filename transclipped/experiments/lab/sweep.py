"""A sweep: one head on the lab set for each of several clipping settings, and what retrieval becomes of each.

Settings differ in nothing but clipping: same seed, so same initial weights, batches and views. `none` comes first as
the base line, then more and more clipping, then `adaptive`. A sweep is a folder; a stopped one goes on where it was:

    settings.json   the sweep        results.jsonl   one line a head, written when it is there
    status.json     state, pid, how far the head in training is       stop   its presence ends the sweep
    heads/          each head and the events of its training, of which `kept.py` can make a run
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
from transclipped.training.threads import on_fitting_threads
from transclipped.training.trainer import Event, Trainer
from transclipped.utils.files import append_json_line, hold, json_lines, read_json, write_json

HEADS_AT_FIRST = 5  # amounts that a sweep tries where nobody chose, the ones that clip least
MARKED = ClippingConfig(rule="adaptive", sigma=2.0)  # trained beside the amounts of every rule
SETTLED = 4  # last epochs over which figures of the training are averaged
WRITE_EVERY = 0.25  # seconds between two notes of progress
SILENCE = 20.0  # seconds without a note after which a sweep counts as interrupted
SURE = 0.1  # share of a head after which its own speed tells the time left
STEPS_KEPT = 5  # of so many steps one is kept as an event
STATE, RESULTS, SETTINGS, STOP, HEADS = "status.json", "results.jsonl", "settings.json", "stop", "heads"


Watch = Callable[[Event, Head], None]


class Stopped(Exception):
    """Somebody asked the sweep to end."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Which heads are trained.

    Attributes:
        rule: one of `clipping.swept`.
        amounts: how much it clips for each head.
        temperature: τ of all.
        treatment: of clipped pairs, "remove" or "clamp".
        seed: of all.
    """

    rule: str = "threshold"
    amounts: tuple[float, ...] = DELTA.tried[:HEADS_AT_FIRST]
    temperature: float = 0.3
    treatment: str = "remove"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rule not in swept():
            raise InputError(f"a sweep cannot vary the rule {self.rule!r}; choose {', '.join(swept())}")
        LossConfig(temperature=self.temperature)
        self.settings()  # refuses what makes no sense

    @property
    def key(self) -> str:
        """Names the sweep by its settings, 12 hex digits: who asks for the same gets the same."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]

    def settings(self) -> list[ClippingConfig]:
        """None, the amounts in their order, and adaptive where it is not among them."""
        tried = [with_amount(self.rule, amount, treatment=self.treatment) for amount in self.amounts]
        marked = replace(MARKED, treatment=self.treatment)
        return [ClippingConfig(rule="none"), *tried, *([] if marked in tried else [marked])]


def head_file(folder: Path, clipping: ClippingConfig) -> Path:
    """Where a sweep keeps the head of a setting; the events of its training are beside it, as JSON."""
    amount = amount_of(clipping)
    return folder / HEADS / f"{clipping.rule}{'' if amount is None else f'-{amount:g}'}.safetensors"


def _nobody(event: Event, head: Head) -> None:
    """Watches nothing."""


def train_head(lab: LabSet, config: RunConfig, *, watch: Watch = _nobody) -> Head:
    """A head trained on the lab set.

    Args:
        watch: called with event and head after each step and epoch; what it raises ends the training.

    Raises:
        InputError: the batch is larger than the lab set, or the loss is no number any more.
    """
    source = CachedViews(lab.features, np.arange(len(lab)), seed=config.seed)
    head = Head.from_config(lab.width, config.quantizer, generator=torch.Generator().manual_seed(config.seed))
    trainer = Trainer(head, source, config, labels=lab.labels, watched=False)
    for event in on_fitting_threads(trainer.events()):
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
def landing(lab: LabSet, head: Head, config: RunConfig) -> float | None:
    """Mean cosine above which the rule clips under a trained head, in a batch of the configured size.

    This is where a rule without a fixed δ lands on the axis of δ; None where nothing is clipped.
    """
    rows = np.arange(min(config.schedule.batch, len(lab)))
    codes = head(torch.from_numpy(np.concatenate([lab.features[0][rows], lab.features[1][rows]])))
    clipped = clip(cosines(codes.quantized.flatten(1)), config.clipping)
    touched = clipped.mask.any(1)
    return float(clipped.level[touched].mean()) if touched.any() else None


def result_of(lab: LabSet, config: RunConfig, *, watch: Watch = _nobody, keep: Path | None = None) -> dict[str, Any]:
    """Train and measure one setting; the result as results.jsonl holds it. `clip_precision` is observed with labels.

    Args:
        keep: folder where the head and the events of its training are stored, see `head_file`.
    """
    started, epochs, events = time.monotonic(), [], []

    def seen(event: Event, head: Head) -> None:
        if event.kind == "epoch":
            epochs.append(event.values)
        if event.kind == "epoch" or event.step % STEPS_KEPT == 1:
            events.append({"kind": event.kind, "epoch": event.epoch, "step": event.step, **event.values})
        watch(event, head)

    head = train_head(lab, config, watch=seen)
    if keep is not None:
        path = head_file(keep, config.clipping)
        save_tensors(path, head.state_dict())
        write_json(path.with_suffix(".json"), events)
    last = epochs[-SETTLED:]
    precision = [values["clip_precision"] for values in last if "clip_precision" in values]
    delta, rule = landing(lab, head, config), config.clipping.rule
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
    """Train what is left of a sweep.

    Args:
        tell: called with each new result.

    Raises:
        Stopped: the stop file appeared.
        InputError: the disk is full, a training failed, or the folder holds another sweep.
    """
    _refuse_another(folder, sweep)
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


def _refuse_another(folder: Path, sweep: Sweep) -> None:
    """Results of other settings would be told as this sweep's; more or fewer amounts of the same are welcome."""
    if not (folder / SETTINGS).exists():
        return
    earlier, now = read_json(folder / SETTINGS), json.loads(json.dumps(asdict(sweep)))
    if not isinstance(earlier, dict) or earlier | {"amounts": None} != now | {"amounts": None}:
        raise InputError(f"{folder} holds a sweep with other settings; choose another folder")


class _Notes:
    """Writes how far a training is a few times a second, and ends it when the stop file is there."""

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
    """Results so far, in the order of training; lines that are torn or of another kind are passed over."""
    return [
        value
        for value in json_lines(folder / RESULTS)
        if isinstance(value, dict) and {"rule", "amount", "map"} <= value.keys()
    ]


def seconds_left(note: dict[str, Any], trained: list[dict[str, Any]]) -> float | None:
    """Seconds until a running sweep is done; None as long as there is no speed to go by.

    Args:
        note: its status.
        trained: its results so far; only the last one tells of the machine as it is now.
    """
    share = note.get("step", 0) / max(1, note.get("steps", 0))  # of the head in training
    spent = note.get("t", 0.0) - note.get("since", math.inf)
    heads = note["total"] - note["done"]
    if trained and share < SURE:
        return trained[-1]["seconds"] * (heads - share)
    return spent / share * (heads - share) if share >= SURE and spent > 0 else None


def status(folder: Path) -> dict[str, Any] | None:
    """Where a sweep stands; None if it has not begun. One that has long said nothing is told as "interrupted"."""
    try:
        note = read_json(folder / STATE)
    except InputError:
        return None
    if not isinstance(note, dict) or "state" not in note:
        return None
    silent = time.time() - note.get("t", 0) > SILENCE
    return note | {"state": "interrupted"} if note["state"] == "running" and silent else note
