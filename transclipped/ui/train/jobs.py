"""Trainings started from the app: queued, run as child processes, and independent of the browser and this server.

The app only watches their run directories; `training/queue.py` keeps the queue in files beside the runs.
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
from transclipped.runs.manage import check_name, first_free
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui import access, runs
from transclipped.utils import machine
from transclipped.utils.jobs import Job

MOST_EACH, MOST_VISITORS = 3, 20  # queued trainings: of one visitor, and of all before a visitor may add another
_counting = Lock()  # two presses at once must not both take the last slot


def busy() -> RunDir | None:
    """The run that is training or about to, if any."""
    name = queue.training(runs.home())
    return None if name is None else RunDir(runs.home() / name)


def live(name: str) -> bool:
    """Whether a run of this name is training, about to, or queued."""
    home = runs.home()
    return queue.training(home) == name or (home / name / queue.QUEUED).exists() or RunDir(home / name).running


def gone(name: str) -> str:
    """The message that a run no longer exists."""
    return f"run {name} no longer exists; it was deleted or renamed"


def waiting() -> list[queue.Waiting]:
    """The queue, next training first; starts a worker if none is running."""
    home = runs.home()
    queue.ensure_worker(home)
    return queue.waiting(home)


def position(name: str) -> int | None:
    """How many trainings are ahead of this one, including the running one; None if it is not queued."""
    names = [entry.name for entry in queue.waiting(runs.home())]
    return names.index(name) + (busy() is not None) if name in names else None


def wait_for(name: str, *, running: float | None) -> float | None:
    """Seconds until a queued training starts, where the running one has `running` left; None if unknown."""
    left = [running] if busy() is not None else []
    for other in queue.waiting(runs.home()):
        if other.name == name:
            return None if None in left else sum(left)
        left.append(other.seconds)
    return None


def start(config: RunConfig, name: str, *, seconds: float | None = None) -> Path:
    """Queue a training, which starts when no other is running; returns its run directory.

    Visitors may open from then on what the owner trains on, since the run shows it to them anyway.

    Args:
        seconds: expected duration, for those queued behind it.

    Raises:
        InputError: this visitor may not, the name is invalid or taken, or the queue is full.
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
    """As `start`, under the first free name from `stem`, unique even among simultaneous calls; returns it."""
    while True:
        name = free_name(stem)
        try:
            start(config, name, seconds=seconds)
            return name
        except InputError:
            if not (runs.home() / name).exists():  # the name was not taken meanwhile
                raise


def free_name(stem: str) -> str:
    """The first of stem, stem-2, … that no run and no queued training has."""
    home = runs.home()
    taken = {path.name for path in home.iterdir()} if home.is_dir() else set()
    return first_free(stem, taken | set(runs.all_runs()))


def resume(run: RunDir, *, seconds: float | None = None) -> None:
    """Queue an unfinished training to resume; raises InputError if the run is gone, live or incomplete."""
    _check_control(run)
    imported.check_complete(run)
    with _counting:
        _check_visitor(run.config)
        queue.enqueue(run.path.parent, run.name, None, seconds=seconds)
    queue.ensure_worker(run.path.parent)


def cancel(name: str) -> None:
    """Remove a training from the queue; raises InputError if it is not there or this visitor may not."""
    access.require(access.TRAIN, of=name)
    queue.cancel(runs.home(), name)


def ask_to_stop(run: RunDir) -> None:
    """Let a training save its state and end; raises InputError if the run is gone or this visitor may not."""
    _check_control(run)
    run.ask_to_stop()


def end_now(run: RunDir) -> None:
    """Kill a training that ignores `ask_to_stop`; it can resume from its last save."""
    access.require(access.TRAIN, of=run.name)
    if queue.alive(run):
        machine.end_process(run.status()["pid"])


def last_words(name: str) -> str:
    """Last message of a training, even if its process died before it made a run."""
    home = runs.home()
    return Job(home / name).last_words() or Job(home / queue.FAILED / name).last_words()


def _check_control(run: RunDir) -> None:
    access.require(access.TRAIN, of=run.name)
    if not run.exists:
        raise InputError(gone(run.name))


def _check_visitor(config: RunConfig) -> None:
    """Refuse a visitor's training if the queue or the disk is full, or its backbone is not bundled."""
    if access.owner():
        return
    runs.home().mkdir(parents=True, exist_ok=True)
    names = {entry.name for entry in queue.waiting(runs.home())}
    if len(names & access.started()) >= MOST_EACH:
        raise InputError(f"{MOST_EACH} of your training runs are queued already; cancel one or wait for one to start")
    if len(names) >= MOST_VISITORS:
        raise InputError(f"{len(names)} training runs are queued already; try again when some have finished")
    if shutil.disk_usage(runs.home()).free < imported.LEAST_FREE:
        raise InputError("the disk of this app is nearly full; ask its owner to free some space")
    if config.backbone.weights or config.backbone.name not in (*BUNDLED, IDENTITY):
        raise InputError(f"backbone {config.backbone.name} is not bundled; {access.NEEDS_OWNER}")
