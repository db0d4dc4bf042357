"""Make a finished run small enough to ship: half-precision heads, fewer stored queries, no optimizer state.

What was measured stays as it was: metrics.json still tells of all queries.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.models.weights import load_tensors, save_tensors
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.utils.files import write_json

QUERIES = 1000
STEPS_KEPT = 120  # step events, evenly spaced: enough for a smooth curve


def bundle(run: RunDir, out: Path, *, queries: int = QUERIES, epochs: int = 3, seed: int = 0) -> RunDir:
    """Copy a finished run into `out`, without what only resuming needs.

    Args:
        queries: at most this many are stored, drawn by `seed` from all that were measured.
        epochs: heads of at most this many epochs are kept, evenly spaced; never that which is the run's own.

    Raises:
        InputError: the run is not finished, `out` exists, or no query would be left.
    """
    if queries < 1:
        raise InputError(f"queries is {queries}; keep 1 or more, since pages ask with them")
    metrics = run.metrics()
    if metrics is None or run.status().get("state") != "finished":
        raise InputError(f"{run.path} is not finished; `train --run {run.path} --resume` finishes it")
    if out.exists():
        raise InputError(f"{out} exists already; delete it or choose another name")
    out.mkdir(parents=True)
    stored = _fewer_queries(run.retrieval(), queries, seed)
    stored.save(out / "retrieval.npz")
    write_json(out / "metrics.json", {**metrics, "n_queries_stored": len(stored.queries)})
    write_json(out / "config.json", {**run.record, "command": command(run.config, f"runs/{out.name}")})
    write_json(out / "status.json", {"v": 1, "state": "finished"})
    shutil.copyfile(run.path / "split.json", out / "split.json")
    own = run.config.schedule.epochs if metrics.get("selection") == "last" else None
    others = [epoch for epoch in run.epochs() if epoch != own]
    for path in ["model.safetensors", *(f"epochs/{n}.safetensors" for n in _spread(others, epochs))]:
        half = {name: tensor.half() for name, tensor in load_tensors(run.path / path).items()}
        save_tensors(out / path, half)
    _write_events(run, out / "events.jsonl")
    return RunDir(out)


def _fewer_queries(stored: Retrieval, n: int, seed: int) -> Retrieval:
    rows = np.sort(np.random.default_rng(seed).permutation(len(stored.queries))[:n])
    labels = None if stored.query_labels is None else stored.query_labels[rows]
    return Retrieval(
        stored.codebooks,
        stored.codes,
        stored.database_ids,
        stored.queries[rows],
        stored.query_ids[rows],
        stored.database_labels,
        labels,
    )


def _spread(epochs: list[int], n: int) -> list[int]:
    """At most n of the epochs, evenly spaced from the first to the last."""
    places = np.linspace(0, len(epochs) - 1, min(n, len(epochs))).round().astype(int)
    return [epochs[i] for i in places]


def _write_events(run: RunDir, path: Path) -> None:
    events = run.events()
    steps = sum(event["kind"] == "step" for event in events)
    every, seen, lines = max(1, steps // STEPS_KEPT), 0, []
    for event in events:
        seen += event["kind"] == "step"
        if event["kind"] != "step" or seen % every == 0:
            lines.append(json.dumps(event) + "\n")
    path.write_text("".join(lines), encoding="utf-8")
