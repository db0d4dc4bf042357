"""Trainings one after another: a queue in the folder of runs, and the worker that empties it.

Two trainings at once would halve each other's speed, and thirty would end each other. So a training waits as a folder
of its name that holds only queued.json, or in the stopped run that it goes on with:

    runs/<name>/queued.json   since when, and the flags of `train`; its presence is the place in the queue
    runs/.queue/now.json      the entry that was taken out last, with its process
    runs/.queue/worker.lock   held by the worker: `python -m transclipped.training.queue runs`, a `utils.jobs.Job` there

Taking an entry out is one rename, cancelling it one deletion, so only one of them succeeds. The system frees a dead
process's lock, and whoever looks at the queue starts another worker where none holds it; browsers, the app and the
worker may all die without loss.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.manage import place
from transclipped.runs.records import read_queued
from transclipped.runs.run import QUEUED, RunDir, find_runs, is_vacant, remove_vacant
from transclipped.utils.files import write_json
from transclipped.utils.jobs import Job
from transclipped.utils.machine import exclusive, identity, lives, spawn

FOLDER, NOW, LOCK, FAILED = ".queue", "now.json", "worker.lock", ".failed"
MOST = 200  # waiting trainings
TRIES = 2  # times that an entry is started, if its process is killed before there is a run
ENDED = (0, 1, 2, 130)  # exit status of a training that was not killed: trying again would end alike
TICK = 0.5  # seconds between two looks
SILENCE = 60.0  # seconds without a heartbeat after which a training blocks nobody

Train = Callable[[Path, list[str]], subprocess.Popen]


@dataclass(frozen=True)
class Waiting:
    """A training in the queue.

    Attributes:
        since: unix time.
        seconds: that it is expected to take, None where nobody knows.
    """

    name: str
    since: float
    seconds: float | None


def enqueue(home: Path, name: str, arguments: list[str] | None, *, seconds: float | None = None) -> None:
    """Let a training wait for its turn.

    Args:
        name: of the run; a new one, or with `arguments` None one to go on with.
        arguments: flags of `train` without --run.

    Raises:
        InputError: the name is taken, the run waits already or is being trained, or the queue is full.
    """
    if len(waiting(home)) >= MOST:
        raise InputError(f"{MOST} trainings wait already; try again when some are done")
    entry = {"v": 1, "name": name, "t": time.time(), "arguments": arguments, "seconds": seconds, "tries": 0}
    if arguments is None:
        if (home / name / QUEUED).exists() or training(home) == name or RunDir(home / name).running:
            raise InputError(f"{name} is being trained or waits for it already")
        write_json(home / name / QUEUED, entry)
        return
    if (home / name).exists() and training(home) != name:
        remove_vacant(home / name)  # left by a training that was killed at its start
    made = home / ".incoming" / uuid.uuid4().hex
    try:
        write_json(made / QUEUED, entry)
        place(made, home / name)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def waiting(home: Path) -> list[Waiting]:
    """The queue, whose turn is next first; what somebody damaged is passed over."""
    found = []
    for path in home.glob(f"*/{QUEUED}"):
        if path.parent.name.startswith("."):
            continue
        with suppress(InputError):
            entry = read_queued(path)
            found.append(Waiting(path.parent.name, entry["t"], entry.get("seconds")))
    return sorted(found, key=lambda w: (w.since, w.name))


def cancel(home: Path, name: str) -> None:
    """Take a waiting training out of the queue; a run that it would have gone on with stays.

    Raises:
        InputError: it is not waiting any more.
    """
    try:
        (home / name / QUEUED).unlink()
    except OSError as error:
        raise InputError(f"{name} does not wait any more; stop it if it has begun") from error
    if not RunDir(home / name).exists:
        shutil.rmtree(home / name, ignore_errors=True)


def training(home: Path) -> str | None:
    """Name of the training that has the turn, from the moment it was taken out of the queue."""
    now = _now(home)
    if now and "name" in now and "pid" not in now and _works(home):  # about to start it
        return str(now["name"])
    if now and lives(now):
        run = RunDir(home / str(now.get("name")))
        status = _status(run)
        if status.get("pid") != now["pid"] or status.get("state") == "running":  # first another's, or no status at all
            return run.name
    return next((run.name for run in find_runs(home) if alive(run)), None)


def alive(run: RunDir) -> bool:
    """Whether a process is training this run, and has lately said so."""
    recent = time.time() - _status(run).get("heartbeat", 0) < SILENCE
    return recent and run.running


def ensure_worker(home: Path) -> None:
    """Start a worker if a training waits and none is there, or on its way."""
    if waiting(home) and not _works(home) and not Job(home / FOLDER).running:
        start_worker(home)


def start_worker(home: Path) -> None:
    """A worker as a process of its own."""
    Job(home / FOLDER).start([str(home.resolve())], module="transclipped.training.queue")


def _works(home: Path) -> bool:
    with exclusive(home / FOLDER / LOCK) as free:
        return not free


def work(home: Path, *, train: Train | None = None) -> None:
    """Train what waits, one after another, until nothing does; returns at once if another worker is there."""
    while waiting(home) or (home / FOLDER / NOW).exists():  # again, for what came while the lock was being let go
        with exclusive(home / FOLDER / LOCK) as mine:
            if not mine:
                return
            _recover(home)
            while entry := next(iter(waiting(home)), None):
                _train_next(home, entry.name, train or _spawned)


def _train_next(home: Path, name: str, train: Train) -> None:
    """Wait for a free machine, train one entry unless it was cancelled meanwhile, and tidy up."""
    if training(home) is not None:
        time.sleep(TICK)
        return
    now = home / FOLDER / NOW
    try:
        os.replace(home / name / QUEUED, now)
    except OSError:  # cancelled just now
        time.sleep(TICK)
        return
    entry = _now(home) or {}
    entry |= {"name": name, "tries": entry.get("tries", 0) + 1}
    arguments = entry.get("arguments")
    flags = ["--resume"] if arguments is None else [str(a) for a in arguments]
    write_json(now, entry)
    child = train(home / name, flags)
    write_json(now, entry | identity(child.pid))
    while child.poll() is None:
        time.sleep(TICK)
    if child.returncode in ENDED:
        _put_aside(home, name)
    else:
        _try_again(home, _now(home) or {})
    now.unlink(missing_ok=True)


def _recover(home: Path) -> None:
    """After a worker that died: wait for the training it left, and start again what never became a run."""
    now = _now(home)
    if now is None:
        (home / FOLDER / NOW).unlink(missing_ok=True)
        return
    while lives(now) and training(home) == now.get("name"):
        time.sleep(TICK)
    _try_again(home, now)
    (home / FOLDER / NOW).unlink(missing_ok=True)


def _try_again(home: Path, entry: dict[str, Any]) -> None:
    """Queue a training again that was killed before there was a run; a few times, then put it aside.

    One that was killed later is a run to resume, and so is one to be resumed, if its process had begun.
    """
    name = str(entry.get("name"))
    resumes = entry.get("arguments") is None
    begun = "pid" in entry if resumes else not is_vacant(home / name)
    if begun or "arguments" not in entry or not (home / name).is_dir():
        return
    if entry.get("tries", 0) < TRIES:
        write_json(home / name / QUEUED, {k: v for k, v in entry.items() if k not in ("pid", "started")})
    else:
        _put_aside(home, name)


def _put_aside(home: Path, name: str) -> None:
    """The log of a training that ended before there was a run goes below .failed, and its name is free again."""
    if not (home / name).is_dir() or (RunDir(home / name).exists and not is_vacant(home / name)):
        return
    shutil.rmtree(home / FAILED / name, ignore_errors=True)
    (home / FAILED).mkdir(exist_ok=True)
    with suppress(OSError):
        os.rename(home / name, home / FAILED / name)


def _spawned(path: Path, flags: list[str]) -> subprocess.Popen:
    return spawn(["train", *flags, "--run", str(path.resolve())], log=path / "log.txt")


def _now(home: Path) -> dict[str, Any] | None:
    try:
        return read_queued(home / FOLDER / NOW)
    except InputError:
        return None


def _status(run: RunDir) -> dict[str, Any]:
    try:
        return run.status()
    except InputError:
        return {}


if __name__ == "__main__":
    work(Path(sys.argv[1]))
