"""The training queue: a queue in the folder of runs, and a worker that trains one entry at a time.

Two trainings at once would halve each other's speed, and thirty would exhaust memory. So a training waits as a folder
that holds only queued.json, or in the stopped run that it resumes:

    runs/<name>/queued.json   the entry: its time and the flags of `train`
    runs/.queue/now.json      the current entry, with its process
    runs/.queue/worker.lock   held by the worker: `python -m transclipped.training.queue runs`, a `utils.jobs.Job` there

Starting an entry is a rename and cancelling it a deletion, so only one of them succeeds. The system frees the lock of
a dead process, and the app then starts another worker, so browsers, the app and the worker may die without loss.
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
TRIES = 2  # starts of an entry whose process is killed before the run exists
ENDED = (0, 1, 2, 130)  # exit statuses of a training that was not killed; it is not tried again
TICK = 0.5  # seconds between two checks
SILENCE = 60.0  # seconds without a heartbeat after which a training no longer blocks the queue

Train = Callable[[Path, list[str]], subprocess.Popen]


@dataclass(frozen=True)
class Waiting:
    """A training in the queue.

    Attributes:
        since: unix time.
        seconds: estimated duration, None if unknown.
    """

    name: str
    since: float
    seconds: float | None


def enqueue(home: Path, name: str, arguments: list[str] | None, *, seconds: float | None = None) -> None:
    """Append a training to the queue.

    Args:
        name: of a new run, or of an existing one to resume if `arguments` is None.
        arguments: flags of `train` without --run.

    Raises:
        InputError: the name is taken, the run is queued or running already, or the queue is full.
    """
    if len(waiting(home)) >= MOST:
        raise InputError(f"{MOST} training runs are queued already; try again when some have finished")
    entry = {"v": 1, "name": name, "t": time.time(), "arguments": arguments, "seconds": seconds, "tries": 0}
    if arguments is None:
        if (home / name / QUEUED).exists() or training(home) == name or RunDir(home / name).running:
            raise InputError(f"{name} is queued or running already")
        write_json(home / name / QUEUED, entry)
        return
    if (home / name).exists() and training(home) != name:
        remove_vacant(home / name)  # left by a training that was killed at its start
    folder = home / ".incoming" / uuid.uuid4().hex
    try:
        write_json(folder / QUEUED, entry)
        place(folder, home / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def waiting(home: Path) -> list[Waiting]:
    """The queue, next training first; damaged entries are skipped."""
    entries = []
    for path in home.glob(f"*/{QUEUED}"):
        if not path.parent.name.startswith("."):
            with suppress(InputError):
                entry = read_queued(path)
                entries.append(Waiting(path.parent.name, entry["t"], entry.get("seconds")))
    return sorted(entries, key=lambda entry: (entry.since, entry.name))


def cancel(home: Path, name: str) -> None:
    """Remove a training from the queue; a run to resume stays.

    Raises:
        InputError: it is not in the queue any more.
    """
    try:
        (home / name / QUEUED).unlink()
    except OSError as error:
        raise InputError(f"{name} is not in the queue any more; if it has started, stop it") from error
    if not RunDir(home / name).exists:
        shutil.rmtree(home / name, ignore_errors=True)


def training(home: Path) -> str | None:
    """Name of the current training, from the moment it leaves the queue."""
    now = _now(home)
    if now and "name" in now and "pid" not in now and _works(home):  # about to start it
        return str(now["name"])
    if now and lives(now):
        run = RunDir(home / str(now.get("name")))
        status = _status(run)
        if status.get("pid") != now["pid"] or status.get("state") == "running":  # at first, the status is not its own
            return run.name
    return next((run.name for run in find_runs(home) if alive(run)), None)


def alive(run: RunDir) -> bool:
    """Whether a process is training this run and has a recent heartbeat."""
    return time.time() - _status(run).get("heartbeat", 0) < SILENCE and run.running


def ensure_worker(home: Path) -> None:
    """Start a worker if trainings wait and no worker is running or starting."""
    if waiting(home) and not _works(home) and not Job(home / FOLDER).running:
        start_worker(home)


def start_worker(home: Path) -> None:
    """Start a worker process."""
    Job(home / FOLDER).start([str(home.resolve())], module="transclipped.training.queue")


def _works(home: Path) -> bool:
    with exclusive(home / FOLDER / LOCK) as free:
        return not free


def work(home: Path, *, train: Train | None = None) -> None:
    """Train the queue until it is empty; returns at once if another worker is running."""
    while waiting(home) or (home / FOLDER / NOW).exists():  # checked again, for entries added while releasing the lock
        with exclusive(home / FOLDER / LOCK) as acquired:
            if not acquired:
                return
            _recover(home)
            while entry := next(iter(waiting(home)), None):
                _train_next(home, entry.name, train or _spawned)


def _train_next(home: Path, name: str, train: Train) -> None:
    """Train one entry, unless another training is running or the entry was cancelled meanwhile."""
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
    """After the death of a worker: wait for its training, and queue it again if the run does not exist."""
    if (now := _now(home)) is not None:
        while lives(now) and training(home) == now.get("name"):
            time.sleep(TICK)
        _try_again(home, now)
    (home / FOLDER / NOW).unlink(missing_ok=True)


def _try_again(home: Path, entry: dict[str, Any]) -> None:
    """Queue a training again if it was killed before the run existed; after `TRIES` starts, put it aside.

    If it was killed later, the run can be resumed; so can a run to resume whose process had started.
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
    """Move the log of a training that ended before the run existed below .failed, which frees its name."""
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
