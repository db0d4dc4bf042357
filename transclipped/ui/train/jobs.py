"""Trainings from the app: they wait in a queue, run as child processes, and outlive the browser and this server.

Their run directory is all we watch; `training/queue.py` keeps the queue in files beside the runs.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from threading import Lock

from transclipped.config import IDENTITY, RunConfig
from transclipped.errors import InputError
from transclipped.flags import exact
from transclipped.models.zoo import BUNDLED
from transclipped.runs import imported
from transclipped.runs.manage import check_name, numbered
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui import access, runs
from transclipped.utils import machine
from transclipped.utils.jobs import Job

MOST_EACH, MOST_VISITORS = 3, 20  # trainings that may wait: one visitor's, and all before a visitor adds another
_counting = Lock()  # so that two presses at once do not both take the last place


def busy() -> RunDir | None:
    """The run that is being trained, or about to be, if any."""
    name = queue.training(runs.home())
    return None if name is None else RunDir(runs.home() / name)


def live(name: str) -> bool:
    """Whether a run of this name is being trained, is about to be, or waits for its turn."""
    home = runs.home()
    return queue.training(home) == name or (home / name / queue.QUEUED).exists() or RunDir(home / name).running


def waiting() -> list[queue.Waiting]:
    """The queue, whose turn is next first; makes sure that somebody empties it."""
    home = runs.home()
    queue.ensure_worker(home)
    return queue.waiting(home)


def place(name: str) -> int | None:
    """How many trainings go before this one, counting the one that has the turn; None if it does not wait."""
    names = [w.name for w in queue.waiting(runs.home())]
    return names.index(name) + (busy() is not None) if name in names else None


def wait_for(name: str, *, running: float | None) -> float | None:
    """Seconds until a waiting training begins, `running` of them for the one that has the turn; None if unknown."""
    left = [running] if busy() is not None else []
    for other in queue.waiting(runs.home()):
        if other.name == name:
            return None if None in left else sum(left)
        left.append(other.seconds)
    return None


def start(config: RunConfig, name: str, *, seconds: float | None = None) -> Path:
    """Let a training begin as soon as no other is on; returns its run directory.

    What the owner trains on, visitors may open from then on: the run shows it to them anyway.

    Args:
        seconds: that it is expected to take, for those who wait behind it.

    Raises:
        InputError: this visitor may not, the name is not fit for a folder or taken, or the queue is full.
    """
    access.require(access.TRAIN)
    home, config = runs.home(), replace(config, data=access.allowed(config.data))
    with _counting:
        _check_visitor(config)
        queue.enqueue(home, check_name(name), exact(config), seconds=seconds)
        access.remember_started(name)
    if access.owner():
        for path in filter(None, (config.data.data, config.data.labels, config.data.split)):
            access.offer(path)
    queue.ensure_worker(home)
    return home / name


def start_next(config: RunConfig, stem: str, *, seconds: float | None = None) -> str:
    """As `start`, under the first free name from `stem`; returns it. Of thirty at once, each gets a name of its own."""
    while True:
        name = free_name(stem)
        try:
            start(config, name, seconds=seconds)
            return name
        except InputError:
            if not (runs.home() / name).exists():  # it was not that somebody was quicker
                raise


def free_name(stem: str) -> str:
    """The first of stem, stem-2, … that no run has, nor a waiting training."""
    home = runs.home()
    taken = {path.name for path in home.iterdir()} if home.is_dir() else set()
    return numbered(stem, taken | set(runs.all_runs()))


def resume(run: RunDir, *, seconds: float | None = None) -> None:
    """Resume a stopped, interrupted or failed training, as soon as no other is running.

    Raises:
        InputError: this visitor may not, or the run is gone, being trained, or imported and lacks what it was made of.
    """
    access.require(access.TRAIN, of=run.name)
    if not run.exists:
        raise InputError(f"there is no run {run.name} any more; it was deleted or renamed")
    imported.check_complete(run)
    with _counting:
        _check_visitor(run.config)
        queue.enqueue(run.path.parent, run.name, None, seconds=seconds)
    queue.ensure_worker(run.path.parent)


def cancel(name: str) -> None:
    """Take a training out of the queue.

    Raises:
        InputError: this visitor may not, it has begun already, or was cancelled.
    """
    access.require(access.TRAIN, of=name)
    queue.cancel(runs.home(), name)


def ask_to_stop(run: RunDir) -> None:
    """Let a training save its state and end.

    Raises:
        InputError: this visitor may not, or the run is gone.
    """
    access.require(access.TRAIN, of=run.name)
    if not run.exists:
        raise InputError(f"there is no run {run.name} any more; it was deleted or renamed")
    run.ask_to_stop()


def end_now(run: RunDir) -> None:
    """End a training that does not heed `ask_to_stop`; what it saved last stays and can be resumed.

    Raises:
        InputError: this visitor may not.
    """
    access.require(access.TRAIN, of=run.name)
    if queue.alive(run):
        machine.end_process(run.status()["pid"])


def last_words(name: str) -> str:
    """Last message of a training, also of one whose process died before it made a run."""
    home = runs.home()
    return Job(home / name).last_words() or Job(home / queue.FAILED / name).last_words()


def _check_visitor(config: RunConfig) -> None:
    """Bounds for those who are not the owner.

    Raises:
        InputError: too much waits already, or the backbone would be fetched or read from a file.
    """
    if access.owner():
        return
    runs.home().mkdir(parents=True, exist_ok=True)
    names = {waiting.name for waiting in queue.waiting(runs.home())}
    if len(names & access.started()) >= MOST_EACH:
        raise InputError(f"{MOST_EACH} trainings of yours wait already; cancel one, or start this when one has begun")
    if len(names) >= MOST_VISITORS:
        raise InputError(f"{len(names)} trainings wait already; start yours when some are done")
    if shutil.disk_usage(runs.home()).free < imported.LEAST_FREE:
        raise InputError("the disk of this app is nearly full; ask its owner to free some space")
    if config.backbone.weights or config.backbone.name not in (*BUNDLED, IDENTITY):
        raise InputError(f"backbone {config.backbone.name} is not bundled; {access.NEEDS_OWNER}")
