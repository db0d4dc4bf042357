"""A queue of sweeps as child processes, one at a time; visitors who start the same sweep share it.

A sweep is a folder within the folder of runs, named by its settings. Queued sweeps are held in memory, first in, first
out; each page that follows a sweep starts the next one.
"""

from __future__ import annotations

import shutil
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import streamlit as st

from transclipped.errors import InputError
from transclipped.experiments.lab.sweep import SETTINGS, STOP, Sweep, results, status
from transclipped.ui import access, runs
from transclipped.utils.files import read_json
from transclipped.utils.jobs import Job

MOST = 20  # sweeps in the queue


@dataclass
class _Queue:
    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: list[Sweep] = field(default_factory=list)
    job: Job | None = None  # the last one started
    started: dict[str, float] = field(default_factory=dict)  # time of the last start, by the sweep's key

    @property
    def busy(self) -> bool:
        return self.job is not None and self.job.running


@st.cache_resource
def _queues() -> dict[str, _Queue]:
    return {}


def _queue() -> _Queue:
    return _queues().setdefault(str(runs.home().resolve()), _Queue())


def folder(sweep: Sweep) -> Path:
    """The folder of a sweep and its results."""
    return runs.home() / "sweeps" / sweep.key


def ask(sweep: Sweep, *, again: bool = False) -> float | None:
    """Start a sweep, or put it in the queue; returns the time, None if it is running or queued already.

    Args:
        again: delete its results and train all heads again.

    Raises:
        InputError: access denied, or the queue is full.
    """
    access.require(access.MANAGE if again else access.TRAIN)
    queue = _queue()
    with queue.lock:
        if sweep in queue.waiting or (queue.busy and queue.job == Job(folder(sweep))):
            return None
        if len(queue.waiting) >= MOST:
            raise InputError(f"{MOST} sweeps are queued already; start this one when some have finished")
        if again:
            shutil.rmtree(folder(sweep), ignore_errors=True)
        queue.waiting.append(sweep)
        when = queue.started[sweep.key] = time.time()
    advance()
    return when


def started(sweep: Sweep) -> float | None:
    """When a visitor last started this sweep; None if nobody did since the server started."""
    return _queue().started.get(sweep.key)


def advance() -> None:
    """Start the next sweep in the queue unless one is running."""
    queue = _queue()
    with queue.lock:
        if queue.busy or not queue.waiting:
            return
        sweep = queue.waiting.pop(0)
        path = folder(sweep)
        (path / STOP).unlink(missing_ok=True)
        amounts = ",".join(f"{amount:g}" for amount in sweep.amounts)
        arguments = ["lab", "sweep", "--out", str(path.resolve()), "--rule", sweep.rule, "--amounts", amounts]
        arguments += ["--temperature", f"{sweep.temperature:g}", "--treatment", sweep.treatment]
        queue.job = Job(path)
        queue.job.start([*arguments, "--seed", str(sweep.seed)])


def cancel(sweep: Sweep) -> None:
    """Take a sweep out of the queue, or stop it and keep its results so far.

    Raises:
        InputError: access denied.
    """
    access.require(access.TRAIN)
    queue = _queue()
    with queue.lock:
        if sweep in queue.waiting:
            queue.waiting.remove(sweep)
    with suppress(OSError):
        (folder(sweep) / STOP).touch()


def state(sweep: Sweep) -> dict:
    """ "waiting" with the number `ahead`, "new", or the status of the sweep; "failed" with the error message."""
    queue, job = _queue(), Job(folder(sweep))
    with queue.lock:
        latest, busy = queue.job == job, queue.busy
        if sweep in queue.waiting:
            return {"state": "waiting", "ahead": queue.waiting.index(sweep) + int(busy)}
    note = status(job.folder)
    running = note is not None and note["state"] == "running"
    if latest and busy:
        return note if running else {"state": "running", "done": len(results(job.folder)), "total": 0}
    if note is None:
        error = job.last_words()
        return {"state": "failed", "error": error} if error else {"state": "new"}
    return note | {"state": "interrupted"} if running and latest else note


def earlier() -> list[Sweep]:
    """Sweeps that have results, newest first."""
    sweeps = []
    for path in (runs.home() / "sweeps").glob(f"*/{SETTINGS}"):
        with suppress(InputError, TypeError, KeyError, OSError):
            values = read_json(path)
            sweep = Sweep(**values | {"amounts": tuple(values["amounts"])})
            if results(path.parent):
                sweeps.append((path.stat().st_mtime, sweep))
    return [sweep for _, sweep in sorted(sweeps, key=lambda pair: -pair[0])]
