"""Sweeps as child processes, one at a time; who asks for the same sweep watches the same one.

A sweep is a folder below the folder of runs, named by its settings. Those that wait for their turn are kept in
memory, first come, first served; whoever watches one starts the next.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import SETTINGS, STOP, Sweep, results, status
from transclipped.ui import access, runs
from transclipped.utils.files import read_json
from transclipped.utils.jobs import Job

MOST = 20  # sweeps that may wait


@dataclass
class _Queue:
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[Sweep] = field(default_factory=list)
    job: Job | None = None  # started last

    @property
    def busy(self) -> bool:
        return self.job is not None and self.job.running


@st.cache_resource
def _queues() -> dict[str, _Queue]:
    return {}


def _queue() -> _Queue:
    return _queues().setdefault(str(runs.home().resolve()), _Queue())


def folder(sweep: Sweep) -> Path:
    """Where the results of a sweep are, or will be."""
    return runs.home() / "sweeps" / sweep.key


def ask(sweep: Sweep, *, again: bool = False) -> None:
    """Start a sweep, or put it in the queue.

    Args:
        again: forget what it found and train all heads anew.

    Raises:
        InputError: this visitor may not, or too many sweeps wait already.
    """
    access.require(access.MANAGE if again else access.TRAIN)
    queue = _queue()
    with queue.lock:
        if queue.busy and queue.job == Job(folder(sweep)):
            return
        if len(queue.waiting) >= MOST:
            raise InputError(f"{MOST} sweeps wait already; start this one when some are done")
        if again:
            shutil.rmtree(folder(sweep), ignore_errors=True)
        if sweep not in queue.waiting:
            queue.waiting.append(sweep)
    advance()


def advance() -> None:
    """Start the next sweep in the queue if none is being trained."""
    queue = _queue()
    with queue.lock:
        if queue.busy or not queue.waiting:
            return
        sweep = queue.waiting.pop(0)
        path = folder(sweep)
        (path / STOP).unlink(missing_ok=True)
        amounts = ",".join(f"{amount:g}" for amount in sweep.amounts)
        words = ["lab", "sweep", "--out", str(path.resolve()), "--rule", sweep.rule, "--amounts", amounts]
        words += ["--temperature", f"{sweep.temperature:g}", "--treatment", sweep.treatment, "--seed", str(sweep.seed)]
        queue.job = Job(path)
        queue.job.start(words)


def cancel(sweep: Sweep) -> None:
    """Take a sweep out of the queue, or end it; its results so far stay.

    Raises:
        InputError: this visitor may not.
    """
    access.require(access.TRAIN)
    queue = _queue()
    with queue.lock:
        if sweep in queue.waiting:
            queue.waiting.remove(sweep)
    with suppress(OSError):
        (folder(sweep) / STOP).touch()


def state(sweep: Sweep) -> dict:
    """ "waiting" with the number `ahead`, or as `training.sweep.status`, or "new"; "failed" with its last words."""
    queue, job = _queue(), Job(folder(sweep))
    with queue.lock:
        mine, busy = queue.job == job, queue.busy
        if sweep in queue.waiting:
            return {"state": "waiting", "ahead": queue.waiting.index(sweep) + int(busy)}
    note = status(job.folder)
    running = note is not None and note["state"] == "running"
    if mine and busy:
        return note if running else {"state": "running", "done": len(results(job.folder)), "total": 0}
    if note is None:
        said = job.last_words()
        return {"state": "failed", "error": said} if said else {"state": "new"}
    return note | {"state": "interrupted"} if running and mine else note


def earlier() -> list[Sweep]:
    """Sweeps that have results, newest first."""
    found = []
    for path in (runs.home() / "sweeps").glob(f"*/{SETTINGS}"):
        with suppress(InputError, TypeError, KeyError, OSError):
            values = read_json(path)
            sweep = Sweep(**values | {"amounts": tuple(values["amounts"])})
            if results(path.parent):
                found.append((path.stat().st_mtime, sweep))
    return [sweep for _, sweep in sorted(found, key=lambda pair: -pair[0])]
