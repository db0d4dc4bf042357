"""UMAP in a separate process, one at a time: two threads of numba would end the web server (umap#665).

The parent writes vectors and settings into a folder and starts `python -m transclipped.analysis.maps.umap_job FOLDER`;
the child writes its progress there, and each map into the cache of maps. Embeddings that this machine lacks are
computed by the child, last, so that maps of the others do not wait for them.

    maps/job/        a `utils.jobs.Job`: its spec is {"keys", "tasks": [{"key", "vectors": "0.npy", "settings"}, …,
                     {"run", "which", "kind", "settings"}, …]}, its progress {"state", "map", "of", "step",
                     "done": share of all maps, "error"}
    maps/<key>.npz   a finished map
"""

import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.store import UmapSettings, digest, map_key, maps_dir, store_map, stored_map
from transclipped.analysis.maps.umap_layout import WRITE_EVERY, umap_map
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.utils.files import read_json, write_json
from transclipped.utils.jobs import FAILED, FINISHED, INTERRUPTED, JOB, PROGRESS, RUNNING, STOPPED, Job, starting
from transclipped.utils.machine import identity


@dataclass(frozen=True)
class Encoding:
    """Maps of the queries or the database of a run, `which`, whose images are to be encoded: kinds and settings."""

    run: RunDir
    which: str
    maps: list[tuple[str, UmapSettings]]


def start(maps: list[tuple[np.ndarray, UmapSettings]], *, encoding: Encoding | None = None) -> list[str]:
    """Compute the maps of these vectors `[n, D]` that are not cached; returns the keys of all at once.

    Args:
        encoding: further maps, whose vectors the child computes; they have no key yet.

    Raises:
        InputError: other maps are being computed, or the disk is full.
    """
    keys = [map_key(digest(vectors), settings) for vectors, settings in maps]
    todo = [i for i, key in enumerate(keys) if stored_map(key) is None]
    tasks = [{"key": keys[i], "vectors": f"{i}.npy", "settings": asdict(maps[i][1])} for i in todo]
    if encoding is not None:
        about = {"run": str(encoding.run.path.resolve()), "which": encoding.which}
        tasks += [{**about, "kind": kind, "settings": asdict(settings)} for kind, settings in encoding.maps]
    if not tasks:
        return keys
    job = _job()
    spec = {"tasks": tasks, "keys": [keys[i] for i in todo], **_progress(tasks, 0, "starting", 0.0)}
    with starting(job.folder.with_suffix(".lock")):
        if job.running:
            raise InputError("another map is being computed; wait for it to finish, or cancel it")
        shutil.rmtree(job.folder, ignore_errors=True)
        try:
            job.folder.mkdir()
            for i in todo:
                np.save(job.folder / f"{i}.npy", maps[i][0].astype(np.float32))
        except OSError as error:
            shutil.rmtree(job.folder, ignore_errors=True)
            raise InputError(f"cannot write {job.folder}: {error.strerror}; free some space") from error
        job.start([str(job.folder.resolve())], spec, module="transclipped.analysis.maps.umap_job", passive=True)
    return keys


def current() -> dict[str, Any] | None:
    """Progress of the current job, or the error of the last one if it failed; else None."""
    status = _job().status()
    if not status or status["state"] in (FINISHED, STOPPED):
        return None
    if status["state"] == INTERRUPTED:
        return status | {"state": FAILED, "error": status["error"] or "the process ended; start it again"}
    return status


def cancel() -> None:
    """End the current job, if any, and delete its files."""
    _job().cancel()
    shutil.rmtree(_job().folder, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Compute the maps of a job's folder."""
    folder = Path(arguments[0])
    tasks = read_json(folder / JOB)["tasks"]
    process = identity(os.getpid())
    last = [0.0]
    at = 0

    def report(step: str, done: float) -> None:
        if time.monotonic() - last[0] > WRITE_EVERY:
            last[0] = time.monotonic()
            progress = {"state": RUNNING, **process, **_progress(tasks, at, step, done)}
            write_json(folder / PROGRESS, progress, durable=False)

    try:
        for at, task in enumerate(tasks):  # noqa: B007, report reads it
            report("reading", 0.0)
            settings, stored = UmapSettings(**task["settings"]), task.get("vectors")
            vectors = np.load(folder / stored, allow_pickle=False) if stored else _encoded(task, report)
            key = task.get("key") or map_key(digest(vectors), settings)
            store_map(key, umap_map(vectors, settings, report=report))
            if stored:
                (folder / stored).unlink()
        ending = {"state": FINISHED}
    except Exception as error:  # of any kind: the page shows it
        ending = {"state": FAILED, "error": str(error) or type(error).__name__}
    write_json(folder / PROGRESS, {**process, **_progress(tasks, at, "", 1.0), **ending})
    return 0 if ending["state"] == FINISHED else 1


def _encoded(task: dict[str, Any], report) -> np.ndarray:
    """Embeddings `[n, D]` of a run's images, encoded unless they are cached."""
    from transclipped.datasets.registry import load

    run, which = RunDir(Path(task["run"])), task["which"]
    for progress in projections.encode_missing(run, which):
        report("encoding images", 0.1 * progress.done / progress.total)
    images, points = load(run.config.data), projections.items(run.retrieval(), which)
    points = projections.with_features(run, points, images, images.rows_of(points.ids.tolist()))
    if task["kind"] not in points.vectors:
        raise InputError("some images cannot be encoded; look for unreadable ones on Data sets")
    return points.vectors[task["kind"]].astype(np.float32)


def _progress(tasks: list[dict], at: int, step: str, done: float) -> dict[str, Any]:
    return {"map": at + 1, "of": len(tasks), "step": step, "done": (at + done) / max(1, len(tasks))}


def _job() -> Job:
    return Job(maps_dir() / "job")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
