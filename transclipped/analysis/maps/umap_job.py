"""UMAP in a process of its own, one at a time: two threads of numba would end the web server (umap#665).

The parent writes vectors and settings into a folder and starts `python -m transclipped.analysis.maps.umap_job FOLDER`;
the child writes its progress there, and each map into the cache of maps. Whoever comes later finds both.

    maps/job/spec.json       [{"key": …, "vectors": "0.npy", "settings": {…}}, …]
    maps/job/progress.json   {"state": running | finished | failed, "pid", "started", "keys", "map", "of", "step",
                             "done", "error"}
    maps/<key>.npz           a finished map
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from transclipped.analysis.maps.store import UmapSettings, digest, map_key, maps_dir, store_map, stored_map
from transclipped.analysis.maps.umap_layout import WRITE_EVERY, umap_map
from transclipped.errors import InputError
from transclipped.utils.files import read_json, write_json
from transclipped.utils.machine import WINDOWS, process_alive, process_start

STALE = 3600.0  # seconds without a sign of life after which a process counts as dead; not all systems tell its start
_children: dict[int, subprocess.Popen] = {}  # kept so that ended ones are reaped


def start(wanted: list[tuple[np.ndarray, UmapSettings]]) -> list[str]:
    """Compute the maps of these vectors `[n, D]` that are not stored yet; returns all their keys at once.

    Raises:
        InputError: other maps are being computed, or the disk is full.
    """
    keys = [map_key(digest(vectors), settings) for vectors, settings in wanted]
    todo = [i for i, key in enumerate(keys) if stored_map(key) is None]
    if not todo:
        return keys
    folder = _claimed()
    spec = []
    try:
        for i in todo:
            np.save(folder / f"{i}.npy", wanted[i][0].astype(np.float32))
            spec.append({"key": keys[i], "vectors": f"{i}.npy", "settings": asdict(wanted[i][1])})
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise InputError(f"cannot write {folder}: {error.strerror}; free some space") from error
    write_json(folder / "spec.json", spec)
    child = _spawn(folder)
    _children[child.pid] = child
    first = _progress(spec, child.pid, at=0, step="starting", done=0.0)
    if not (folder / "progress.json").exists():  # the child may be the quicker
        write_json(folder / "progress.json", first)
    return keys


def current() -> dict[str, Any] | None:
    """Progress of the job that is on, or why the last one failed; None if there is nothing to tell."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            del _children[pid]
    try:
        progress = read_json(_folder() / "progress.json")
        state, pid = progress["state"], int(progress["pid"])
    except (InputError, KeyError, TypeError, ValueError):
        return None
    if state == "running" and not _lives(pid, progress.get("started")):
        return {**progress, "state": "failed", "error": "the process that computed it has ended; start it again"}
    return None if state == "finished" else progress


def cancel() -> None:
    """End the job, if one is on, and forget it."""
    progress = current()
    if progress and progress["state"] == "running":
        with suppress(OSError):
            os.kill(progress["pid"], signal.SIGTERM)
        child = _children.pop(progress["pid"], None)
        if child is not None:
            with suppress(subprocess.TimeoutExpired):
                child.wait(timeout=5)
    shutil.rmtree(_folder(), ignore_errors=True)


def main(arguments: list[str]) -> int:
    """Work off the folder that is named."""
    folder = Path(arguments[0])
    spec = read_json(folder / "spec.json")
    last = [0.0]
    at = 0

    def report(step: str, done: float) -> None:
        if time.monotonic() - last[0] > WRITE_EVERY:
            last[0] = time.monotonic()
            far = _progress(spec, os.getpid(), at=at, step=step, done=done)
            write_json(folder / "progress.json", far, durable=False)

    try:
        for at, task in enumerate(spec):  # noqa: B007, report reads it
            report("reading", 0.0)
            vectors = np.load(folder / task["vectors"], allow_pickle=False)
            store_map(task["key"], umap_map(vectors, UmapSettings(**task["settings"]), report=report))
            (folder / task["vectors"]).unlink()
        ending = {"state": "finished"}
    except Exception as error:  # whatever it is, a person is waiting for a word
        ending = {"state": "failed", "error": str(error) or type(error).__name__}
    write_json(folder / "progress.json", {**_progress(spec, os.getpid(), at=at, step="", done=1.0), **ending})
    return 0 if ending["state"] == "finished" else 1


def _progress(spec: list[dict], pid: int, *, at: int, step: str, done: float) -> dict[str, Any]:
    keys = [task["key"] for task in spec]
    share = (at + done) / max(1, len(spec))
    who = {"pid": pid, "started": process_start(pid)}
    return {"state": "running", **who, "keys": keys, "map": at + 1, "of": len(spec), "step": step, "done": share}


def _folder() -> Path:
    return maps_dir() / "job"


def _claimed() -> Path:
    """The job's folder, made by this call and no other: making a folder is atomic."""
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    for _ in range(2):
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            progress = current()
            if (progress and progress["state"] == "running") or _fresh(folder):
                break
            shutil.rmtree(folder, ignore_errors=True)
    raise InputError("another map is being computed; wait until it is done, or cancel it")


def _fresh(folder: Path) -> bool:
    """Whether somebody made the folder a moment ago and has not started the work yet."""
    with suppress(OSError):
        return not (folder / "progress.json").exists() and time.time() - folder.stat().st_mtime < 10
    return False


def _lives(pid: int, started: str | None) -> bool:
    """Whether the process that wrote the progress still runs, and no other that got its number."""
    with suppress(OSError):
        silent = time.time() - (_folder() / "progress.json").stat().st_mtime
        return process_alive(pid, started) and silent < STALE
    return False


def _spawn(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3])}
    detached = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if WINDOWS else {"start_new_session": True}
    with (folder / "log.txt").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "transclipped.analysis.maps.umap_job", str(folder.resolve())],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            **detached,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
