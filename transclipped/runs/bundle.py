"""Make a finished run small enough to ship: half-precision heads, fewer stored queries, no optimizer state.

Measurements do not change: metrics.json still covers all queries.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.runs.run import RunDir
from transclipped.utils.files import write_json

QUERIES = 1000
STEPS_KEPT = 120  # step events: enough for a smooth curve


def bundle(run: RunDir, out: Path, *, queries: int = QUERIES, epochs: int = 3, seed: int = 0) -> RunDir:
    """Copy a finished run into `out`, without files that only resuming needs.

    Args:
        queries: at most this many are stored, drawn by `seed` from all measured queries.
        epochs: at most this many heads of epochs are stored, evenly spaced, without that of the trained model.

    Raises:
        InputError: the run is not finished, `out` exists, or no query would be left.
    """
    if queries < 1:
        raise InputError(f"queries is {queries}; choose 1 or more, since pages search with them")
    metrics = run.metrics()
    if metrics is None or run.status().get("state") != "finished":
        raise InputError(f"{run.path} is not finished; `train --run {run.path} --resume` finishes it")
    if out.exists():
        raise InputError(f"{out} already exists; delete it or choose another name")
    out.mkdir(parents=True)
    stored = run.retrieval()
    rows = np.sort(np.random.default_rng(seed).permutation(len(stored.queries))[:queries])
    labels = None if stored.query_labels is None else stored.query_labels[rows]
    stored = replace(stored, queries=stored.queries[rows], query_ids=stored.query_ids[rows], query_labels=labels)
    stored.save(out / "retrieval.npz")
    write_json(out / "metrics.json", {**metrics, "n_queries_stored": len(stored.queries)})
    write_json(out / "config.json", {**run.record, "command": command(run.config, f"runs/{out.name}")})
    write_json(out / "status.json", {"v": 1, "state": "finished"})
    shutil.copyfile(run.path / "split.json", out / "split.json")
    own = run.config.schedule.epochs if metrics.get("selection") == "last" else None
    others = [epoch for epoch in run.epochs() if epoch != own]
    rows = np.linspace(0, len(others) - 1, min(epochs, len(others))).round().astype(int)
    for path in ["model.safetensors", *(f"epochs/{others[row]}.safetensors" for row in rows)]:
        half = {name: tensor.half() for name, tensor in load_tensors(run.path / path).items()}
        save_tensors(out / path, half)
    _write_events(run, out / "events.jsonl")
    return RunDir(out)


def _write_events(run: RunDir, path: Path) -> None:
    events = run.events()
    steps = [event for event in events if event["kind"] == "step"]
    every = max(1, len(steps) // STEPS_KEPT)
    chosen = {id(event) for event in steps[every - 1 :: every]}
    lines = [json.dumps(event) + "\n" for event in events if event["kind"] != "step" or id(event) in chosen]
    path.write_text("".join(lines), encoding="utf-8")
