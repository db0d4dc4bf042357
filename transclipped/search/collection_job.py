"""A folder of images encoded by a process of its own, whose whole state lies beside the collection that it makes.

    <home>/<name>/job.json, progress.json, log.txt   a `utils.jobs.Job` with the spec {"run", "folder", "labels"}
    <home>/<name>/collection.json and the other files of the collection, when it has finished

The process is `python -m transclipped encode`. It may be killed at any moment and started again: embeddings that are in
the feature cache are not computed twice. One at a time, since two would only halve each other's speed.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.manage import fitting_name, numbered, place, remove
from transclipped.runs.run import RunDir
from transclipped.search.collection_list import collections
from transclipped.utils.files import write_json
from transclipped.utils.jobs import JOB, PROGRESS, RUNNING, Job, starting

LOCK = ".indexing.lock"
LONGEST = 60  # characters taken from a folder's name


@dataclass(frozen=True)
class Encoding:
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


def start(
    home: Path, run: RunDir, folder: Path, *, labels: Path | None = None, taken: Collection[str] = ()
) -> Encoding:
    """Begin to encode a folder by a run; a collection that this run has made of it already is brought up to date.

    Args:
        home: folder of runs, in which the collection gets a free name made of the folder's.
        labels: file with labels, None for the names of sub-folders.
        taken: names that it must not get beside those in `home`.

    Raises:
        InputError: another folder is being encoded, or the disk refuses.
    """
    spec = {"run": str(run.path.resolve()), "folder": str(Path(folder).resolve())}
    spec["labels"] = None if labels is None else str(Path(labels).resolve())
    earlier = find(home, run, folder)
    path = earlier or _claimed(home, _fit(Path(spec["folder"]).name), spec, taken)
    try:
        return _begin(path, spec)
    except InputError:
        if earlier is None:
            shutil.rmtree(path, ignore_errors=True)
        raise


def resume(path: Path) -> Encoding:
    """Start the encoding of `path` again; what the cache holds is not computed twice.

    Raises:
        InputError: there is none, or another one is running.
    """
    job = state(path)
    if job is None:
        raise InputError(f"{path.name} was not started here, or was deleted; index its folder again")
    return _begin(path, {"run": str(job.run), "folder": job.folder, "labels": job.labels})


def cancel(path: Path) -> None:
    """End an encoding; what it has computed stays in the cache, for `resume` to use."""
    Job(path).cancel()


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


def state(path: Path) -> Encoding | None:
    """The encoding that made, or makes, the collection in `path`; None if it was not started here."""
    status = Job(path).status()
    if not isinstance(status.get("folder"), str):
        return None
    return Encoding(
        path=path,
        run=Path(str(status.get("run"))),
        folder=status["folder"],
        labels=status.get("labels"),
        state=status["state"],
        done=status.get("done", 0),
        total=status.get("total", 0),
        seconds=status.get("seconds", 0.0),
        error=status["error"],
    )


def jobs(home: Path) -> list[Encoding]:
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


def _begin(path: Path, spec: dict[str, Any]) -> Encoding:
    """Start the process, unless one is running in the same folder of runs."""
    with starting(path.parent / LOCK):
        if busy := next((job for job in jobs(path.parent) if job.state == RUNNING), None):
            raise InputError(f"{busy.name} is being encoded; wait until that is done, or cancel it")
        if not Path(spec["folder"]).is_dir():
            raise InputError(f"{spec['folder']} is gone (moved, renamed, unplugged?); bring it back and try again")
        command = ["encode", spec["folder"], "--run", spec["run"], "--out", str(path.resolve())]
        command += ["--labels", spec["labels"]] if spec["labels"] else []
        command += ["--progress", str((path / PROGRESS).resolve()), "--json"]
        Job(path).start(command, spec)
    job = state(path)
    if job is None:
        raise InputError(f"{path.name} was deleted just now; index its folder again")
    return job


def _claimed(home: Path, stem: str, spec: dict[str, Any], taken: Collection[str]) -> Path:
    """A new folder for the collection under the first free name, which holds its job from the first moment on."""
    made = home / ".incoming" / uuid.uuid4().hex
    try:
        write_json(made / JOB, {"v": 1, **spec})
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
