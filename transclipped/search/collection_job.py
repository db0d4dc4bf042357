"""Encodes a folder of images in a separate process, whose state is stored beside the collection.

    <home>/<name>/job.json, progress.json, log.txt   a `utils.jobs.Job` with the spec {"run", "folder", "labels"}
    <home>/<name>/collection.json and the other files of the collection, when it has finished

The process is `python -m transclipped encode`. It may be killed at any time and restarted: embeddings in the feature
cache are not computed twice. One runs at a time, since two would share the processor.
"""

import shutil
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transclipped.errors import InputError
from transclipped.runs.manage import fitting_name, place_numbered, remove
from transclipped.runs.run import RunDir
from transclipped.search.collection_list import collections
from transclipped.utils.files import write_json
from transclipped.utils.jobs import JOB, PROGRESS, RUNNING, Job, starting

LOCK = ".indexing.lock"
LONGEST = 60  # characters taken from a folder's name


@dataclass(frozen=True)
class Encoding:
    """State of an encoding, read from its files.

    Attributes:
        path: folder of the collection.
        run, folder, labels: which run encodes what; labels is None without a file of labels.
        state: running, finished, failed, stopped by the user, or interrupted (the process died).
        done, total: images of this process; 0 of 0 while it scans the folder.
        seconds: since encoding began.
        error: a sentence, if it failed.
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
        """None before the first image."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


def start(
    home: Path, run: RunDir, folder: Path, *, labels: Path | None = None, taken: Collection[str] = ()
) -> Encoding:
    """Start to encode a folder by a run, or to update the collection that this run made of it.

    Args:
        home: folder of runs, in which the collection gets a free name based on the folder's.
        labels: file with labels, None for the names of sub-folders.
        taken: further names that are not free.

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
    """Start the encoding of `path` again. Raises InputError if it is unknown, or another one is running."""
    job = state(path)
    if job is None:
        raise InputError(f"{path.name} was not started here, or was deleted; encode its folder again")
    return _begin(path, {"run": str(job.run), "folder": job.folder, "labels": job.labels})


def cancel(path: Path) -> None:
    """End an encoding; its embeddings stay in the cache, for `resume`."""
    Job(path).cancel()


def delete(path: Path) -> None:
    """Delete a collection or an unfinished encoding, not its images. Raises InputError if it is in use, or neither."""
    job = state(path)
    if job is not None and job.state == RUNNING:
        raise InputError(f"{path.name} is being encoded; cancel that first")
    if RunDir(path).exists or not any((path / name).exists() for name in (JOB, "collection.json")):
        raise InputError(f"{path.name} is not a collection, or was already deleted")
    remove(path)


def state(path: Path) -> Encoding | None:
    """The encoding of the collection in `path`; None if it was not started here."""
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
    """All encodings started in a folder of runs, newest first."""
    files = [path for path in Path(home).glob(f"*/{JOB}") if path.parent.name[0] != "."]
    files = sorted(files, key=lambda path: path.stat().st_mtime, reverse=True)
    return [job for path in files if (job := state(path.parent)) is not None]


def find(home: Path, run: RunDir, folder: Path) -> Path | None:
    """The collection, finished or not, of this folder alone by this run; None if missing."""
    target = (run.path.resolve(), str(Path(folder).resolve()))
    candidates = [(entry.path, entry.run, entry.folders) for entry in collections(home)]
    candidates += [(job.path, job.run, (job.folder,)) for job in jobs(home)]
    return next((path for path, by, folders in candidates if (by.resolve(), *folders) == target), None)


def _begin(path: Path, spec: dict[str, Any]) -> Encoding:
    """Start the process; InputError if one is running in the same folder of runs."""
    with starting(path.parent / LOCK):
        if busy := next((job for job in jobs(path.parent) if job.state == RUNNING), None):
            raise InputError(f"{busy.name} is being encoded; wait for it to finish, or cancel it")
        if not Path(spec["folder"]).is_dir():
            raise InputError(f"{spec['folder']} does not exist (moved, renamed, unplugged?); restore it and try again")
        command = ["encode", spec["folder"], "--run", spec["run"], "--out", str(path.resolve())]
        command += ["--labels", spec["labels"]] if spec["labels"] else []
        command += ["--progress", str((path / PROGRESS).resolve()), "--json"]
        Job(path).start(command, spec)
    if (job := state(path)) is None:
        raise InputError(f"{path.name} was just deleted; encode its folder again")
    return job


def _claimed(home: Path, stem: str, spec: dict[str, Any], taken: Collection[str]) -> Path:
    """A new folder for the collection under the first free name, with its job in it from the start."""
    folder = home / ".incoming" / uuid.uuid4().hex
    try:
        write_json(folder / JOB, {"v": 1, **spec})
        return place_numbered(folder, home, stem, taken=taken)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fit(name: str) -> str:
    """Name of a collection, from that of its folder."""
    return fitting_name(name[:LONGEST], otherwise="images")
