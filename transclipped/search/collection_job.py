"""A folder of images encoded by a process of its own, whose whole state lies beside the collection that it makes.

    <home>/<name>/job.json       {"run", "folder", "labels", "pid", "started", "stopped"}
    <home>/<name>/progress.json  how far it is and how it ended, see `progress.with_file`
    <home>/<name>/log.txt        what the process said
    <home>/<name>/collection.json and the other files of the collection, when it has finished

The process is `python -m transclipped encode`. It may be killed at any moment and started again: embeddings that are in
the feature cache are not computed twice. One at a time, since two would only halve each other's speed.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.manage import fitting_name, numbered, place, remove
from transclipped.runs.run import RunDir
from transclipped.search.collection_list import collections
from transclipped.utils.files import read_json, write_json
from transclipped.utils.machine import end_process, exclusive, process_alive, process_start, spawn

JOB, PROGRESS, LOG, LOCK = "job.json", "progress.json", "log.txt", ".indexing.lock"
RUNNING, FINISHED, FAILED, STOPPED, INTERRUPTED = "running", "finished", "failed", "stopped", "interrupted"
LONGEST = 60  # characters taken from a folder's name
PATIENCE = 5.0  # seconds that a process gets to end, and a starting one to let go of the lock
_children: dict[int, subprocess.Popen] = {}  # kept so that ended ones are reaped


@dataclass(frozen=True)
class Job:
    """An encoding, as its files describe it.

    Attributes:
        path: folder of the collection.
        run, folder, labels: what is encoded by what; labels is None where no file gives any.
        state: running, finished, failed, stopped by a person, or interrupted (the process died).
        done, total: images of this process; 0 of 0 while it looks through the folder.
        seconds: since it began to encode.
        error: a sentence, where it failed.
    """

    path: Path
    run: Path
    folder: str
    labels: str | None
    state: str
    done: int
    total: int
    seconds: float
    error: str

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def seconds_left(self) -> float | None:
        """None until there is a speed to go by."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


def start(home: Path, run: RunDir, folder: Path, *, labels: Path | None = None, taken: Collection[str] = ()) -> Job:
    """Begin to encode a folder by a run; a collection that this run has made of it already is brought up to date.

    Args:
        home: folder of runs, in which the collection gets a free name made of the folder's.
        labels: file with labels, None for the names of sub-folders.
        taken: names that it must not get beside those in `home`.

    Raises:
        InputError: another folder is being encoded, or the disk refuses.
    """
    asked = {"run": str(run.path.resolve()), "folder": str(Path(folder).resolve())}
    asked["labels"] = None if labels is None else str(Path(labels).resolve())
    earlier = find(home, run, folder)
    path = earlier or _claimed(home, _fit(Path(asked["folder"]).name), asked, taken)
    try:
        return _begin(path, asked)
    except InputError:
        if earlier is None:
            shutil.rmtree(path, ignore_errors=True)
        raise


def resume(path: Path) -> Job:
    """Start the encoding of `path` again; what the cache holds is not computed twice.

    Raises:
        InputError: there is none, or another one is running.
    """
    record = _record(path)
    if record is None:
        raise InputError(f"{path.name} was not started here, or was deleted; index its folder again")
    return _begin(path, {name: record.get(name) for name in ("run", "folder", "labels")})


def cancel(path: Path) -> None:
    """End an encoding; what it has computed stays in the cache, for `resume` to use."""
    record = _record(path)
    if record is None or state(path).state != RUNNING:
        return
    write_json(path / JOB, record | {"stopped": True})
    for pid in {record.get("pid"), _progress(path).get("pid")} - {None}:
        end_process(pid)
        child = _children.pop(pid, None)
        if child is not None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=PATIENCE)


def delete(path: Path) -> None:
    """Delete a collection, or what an unfinished encoding left; the images stay where they are.

    Raises:
        InputError: it is being encoded, is no collection, or the disk refuses.
    """
    job = state(path)
    if job is not None and job.state == RUNNING:
        raise InputError(f"{path.name} is being encoded; cancel that first")
    if RunDir(path).exists or not any((path / name).exists() for name in (JOB, "collection.json")):
        raise InputError(f"{path.name} is no collection, or was deleted already")
    remove(path)


def state(path: Path) -> Job | None:
    """The encoding that made, or makes, the collection in `path`; None if it was not started here."""
    record = _record(path)
    if record is None:
        return None
    progress = _progress(path)
    now, error = progress.get("state", RUNNING), str(progress.get("error", ""))
    if record.get("stopped") and now != FINISHED:
        now = STOPPED
    elif now not in (FINISHED, FAILED):
        now = RUNNING if _alive(progress or record) else INTERRUPTED
        error = "" if now == RUNNING else _last_words(path)
    return Job(
        path=path,
        run=Path(str(record.get("run"))),
        folder=str(record.get("folder")),
        labels=record.get("labels"),
        state=now,
        done=progress.get("done", 0),
        total=progress.get("total", 0),
        seconds=progress.get("seconds", 0.0),
        error=error,
    )


def jobs(home: Path) -> list[Job]:
    """All encodings that were started in a folder of runs, the newest first."""
    files = [path for path in Path(home).glob(f"*/{JOB}") if path.parent.name[0] != "."]
    files = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    return [job for path in files if (job := state(path.parent)) is not None]


def find(home: Path, run: RunDir, folder: Path) -> Path | None:
    """The collection, finished or not, that holds this folder and nothing else, encoded by this run."""
    wanted = (run.path.resolve(), str(Path(folder).resolve()))
    made = [(entry.path, entry.run, entry.folders) for entry in collections(home)]
    made += [(job.path, job.run, (job.folder,)) for job in jobs(home)]
    return next((path for path, by, folders in made if (by.resolve(), *folders) == wanted), None)


def _begin(path: Path, asked: dict[str, Any]) -> Job:
    """Start the process, unless one is running in the same folder of runs."""
    with _alone(path.parent):
        if busy := next((job for job in jobs(path.parent) if job.state == RUNNING), None):
            raise InputError(f"{busy.name} is being encoded; wait until that is done, or cancel it")
        if not Path(asked["folder"]).is_dir():
            raise InputError(f"{asked['folder']} is gone (moved, renamed, unplugged?); bring it back and try again")
        (path / PROGRESS).unlink(missing_ok=True)
        command = ["encode", asked["folder"], "--run", asked["run"], "--out", str(path.resolve())]
        command += ["--labels", asked["labels"]] if asked["labels"] else []
        command += ["--progress", str((path / PROGRESS).resolve()), "--json"]
        try:
            (path / LOG).unlink(missing_ok=True)
            child = spawn(command, log=path / LOG)
        except OSError as error:
            raise InputError(f"cannot start the encoding: {error.strerror or error}; free some space") from error
        _children[child.pid] = child
        who = {"pid": child.pid, "started": process_start(child.pid), "stopped": False}
        write_json(path / JOB, {"v": 1, **asked, **who})
    job = state(path)
    if job is None:
        raise InputError(f"{path.name} was deleted just now; index its folder again")
    return job


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """The lock under which encodings start, waited for a moment.

    Raises:
        InputError: another process holds it for long.
    """
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with exclusive(home / LOCK) as mine:
            if mine:
                yield
                return
        time.sleep(0.1)
    raise InputError("another encoding is just being started; try again")


def _claimed(home: Path, stem: str, asked: dict[str, Any], taken: Collection[str]) -> Path:
    """A new folder for the collection under the first free name, which holds its job from the first moment on."""
    made = home / ".incoming" / uuid.uuid4().hex
    try:
        write_json(made / JOB, {"v": 1, **asked})
        while True:
            path = home / numbered(stem, {*taken, *(other.name for other in home.iterdir())})
            with suppress(InputError):  # another process was quicker: the next number
                place(made, path)
                return path
            if not path.exists():
                raise InputError(f"cannot make {path}; choose another folder of runs")
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _fit(name: str) -> str:
    """Name of a collection after that of its folder."""
    return fitting_name(name[:LONGEST], otherwise="images")


def _record(path: Path) -> dict[str, Any] | None:
    try:
        record = read_json(path / JOB)
    except InputError:
        return None
    return record if isinstance(record, dict) and isinstance(record.get("folder"), str) else None


def _progress(path: Path) -> dict[str, Any]:
    try:
        progress = read_json(path / PROGRESS)
    except InputError:
        return {}
    numbers = [progress.get(name) for name in ("done", "total", "seconds")] if isinstance(progress, dict) else [None]
    return progress if all(isinstance(number, int | float) for number in numbers) else {}


def _alive(process: dict[str, Any]) -> bool:
    """Whether the process of a record (`pid`, `started`) runs; ended children are reaped."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)
    return process_alive(process.get("pid"), process.get("started"))


def _last_words(path: Path) -> str:
    """What a process said last that died before it could write how it ended."""
    try:
        lines = (path / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("transclipped: ") for line in reversed(lines) if ": " in line), "")
