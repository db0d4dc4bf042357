"""The run directory: everything that a training leaves, and all that pages and commands read of it.

    config.json  events.jsonl  model.safetensors  epochs/<n>.safetensors  last.safetensors
    split.json   retrieval.npz metrics.json       status.json                lock

Whoever trains or measures holds the lock. Files are replaced atomically, so a reader never meets half of one; nothing
is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from transclipped import __version__
from transclipped.config import RunConfig, from_dict, to_dict
from transclipped.errors import InputError, cause
from transclipped.files import ASSETS, LOCK, json_lines, read_json, replacing, write_json, writer
from transclipped.flags import command
from transclipped.machine import process_alive

FORMAT = 1
SILENCE = 15.0  # seconds without one, and no process: interrupted
QUEUED = "queued.json"  # its presence: a training waits for its turn in this folder
STOP_FILE = "stop"  # its presence asks a training to save and end
LEFTOVERS = (STOP_FILE, LOCK, "log.txt", "status.json")  # of no value without settings
_SETTINGS = {field.name for field in fields(RunConfig)}  # keys of config.json that are not findings
PACKAGES = ("torch", "timm", "faiss-cpu", "numpy")


@dataclass(frozen=True)
class Retrieval:
    """Content of retrieval.npz: what search and measurement need.

    codebooks `[M, K, d]` f32 · codes `[N, M]` u8 · database_ids `[N]` · queries `[Q, D]` f16 · query_ids `[Q]` ·
    database_labels, query_labels `[N]`, `[Q]` or `[N, L]`, `[Q, L]`, None without labels.
    """

    codebooks: np.ndarray
    codes: np.ndarray
    database_ids: np.ndarray
    queries: np.ndarray
    query_ids: np.ndarray
    database_labels: np.ndarray | None = None
    query_labels: np.ndarray | None = None

    def save(self, path: Path) -> None:
        """Write compressed, atomically."""
        arrays = {name: value for name, value in vars(self).items() if value is not None}
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Retrieval:
        """Read and check.

        Raises:
            InputError: it is missing, damaged, or its shapes disagree.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                loaded = cls(**{name: file[name] for name in file.files})
        except FileNotFoundError as error:
            raise InputError(f"{path} is missing; run `evaluate` on this run to make it") from error
        except Exception as error:  # numpy and zipfile raise many kinds for one damaged file
            raise InputError(f"{path} is damaged ({cause(error)}); run `evaluate` on this run again") from error
        return loaded._checked(path)

    def _checked(self, path: Path) -> Retrieval:
        m, k, d = self.codebooks.shape if self.codebooks.ndim == 3 else (0, 0, 0)
        fits = (
            self.codes.dtype == np.uint8
            and self.codes.shape == (len(self.database_ids), m)
            and self.queries.shape == (len(self.query_ids), m * d)
            and (not self.codes.size or self.codes.max() < k)
            and _labels_fit(self.database_labels, self.database_ids)
            and _labels_fit(self.query_labels, self.query_ids)
        )
        if not fits:
            raise InputError(f"{path} holds arrays that do not fit together; run `evaluate` on this run again")
        return self


def _labels_fit(labels: np.ndarray | None, ids: np.ndarray) -> bool:
    return labels is None or (labels.ndim in (1, 2) and len(labels) == len(ids))


class RunDir:
    """A run on disk. Reading never writes; a missing part is None or an empty list, a damaged one an InputError."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunDir({str(self.path)!r})"

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def exists(self) -> bool:
        return (self.path / "config.json").is_file()

    @cached_property
    def record(self) -> dict[str, Any]:
        """config.json: the settings, with command, versions and fingerprints."""
        if not self.exists:
            raise InputError(f"{self.path} is not a run: it has no config.json; `train --run {self.path}` makes one")
        record = read_json(self.path / "config.json")
        if not isinstance(record, dict) or record.get("v") != FORMAT:
            raise InputError(f"{self.path / 'config.json'} is not of this version (v = {FORMAT})")
        return record

    @cached_property
    def config(self) -> RunConfig:
        return from_dict(RunConfig, {k: v for k, v in self.record.items() if k in _SETTINGS})

    @property
    def fingerprint(self) -> str:
        """Changes whenever the trained model or what was measured of it does; 16 hex digits."""
        stamp = [str(self.path.resolve())]
        for name in ("config.json", "model.safetensors", "retrieval.npz", "metrics.json"):
            path = self.path / name
            stamp.append(f"{path.stat().st_mtime_ns} {path.stat().st_size}" if path.exists() else "-")
        return hashlib.sha256("\n".join(stamp).encode()).hexdigest()[:16]

    def metrics(self) -> dict[str, Any] | None:
        path = self.path / "metrics.json"
        return read_json(path) if path.exists() else None

    def retrieval(self) -> Retrieval:
        return Retrieval.load(self.path / "retrieval.npz")

    def status(self) -> dict[str, Any]:
        """status.json, with a silent and dead run told as "interrupted"."""
        path = self.path / "status.json"
        if not path.exists():
            return {"state": "finished" if (self.path / "metrics.json").exists() else "interrupted"}
        status = read_json(path)
        if not isinstance(status, dict):
            raise InputError(f"{path} does not hold a status; delete it")
        silent = time.time() - status.get("heartbeat", 0) > SILENCE
        if status.get("state") == "running" and silent and not _alive(status):
            status["state"] = "interrupted"
        return status

    @property
    def running(self) -> bool:
        """Whether a process is training it now; a damaged status.json cannot tell, so no."""
        try:
            status = self.status()
        except InputError:
            return False
        return status.get("state") == "running" and _alive(status)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Events so far, of the given kinds or all; a torn last line is passed over."""
        found = (e for e in json_lines(self.path / "events.jsonl") if isinstance(e, dict))
        return [e for e in found if not kinds or e.get("kind") in kinds]

    def epochs(self) -> list[int]:
        """Epochs whose head was kept, ascending."""
        return sorted(int(p.stem) for p in (self.path / "epochs").glob("*.safetensors") if p.stem.isdecimal())

    def head(self, *, epoch: int | None = None):
        """Trained head, the kept one or that of an epoch.

        Raises:
            InputError: there is none, or it does not fit the configuration.
        """
        from transclipped.models.network import head_from_state
        from transclipped.models.weights import load_tensors

        path = self.path / ("model.safetensors" if epoch is None else f"epochs/{epoch}.safetensors")
        return head_from_state(load_tensors(path), self.config.quantizer, source=str(path))

    def ask_to_stop(self) -> None:
        """The training saves its state and ends at the next step."""
        (self.path / STOP_FILE).touch()


def find_runs(*folders: Path) -> list[RunDir]:
    """Runs directly inside the given folders, newest first within each."""
    found = []
    for folder in folders:
        runs = [RunDir(p.parent) for p in Path(folder).glob("*/config.json")]
        found += sorted(runs, key=_written, reverse=True)
    return found


def _written(run: RunDir) -> float:
    try:
        return (run.path / "config.json").stat().st_mtime
    except OSError:  # deleted just now
        return 0.0


def _alive(status: dict[str, Any]) -> bool:
    """Whether the process that wrote a status is still there, and not another that got its number."""
    return process_alive(status.get("pid", -1), status.get("started"))


def check_free(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder that a training may not write to.

    Raises:
        InputError: it is bundled, is being trained or measured, waits in the queue, or holds a run, though neither
            `resume` nor `overwrite` is set, or other files.
    """
    if holder := writer(path):
        raise InputError(f"{path} is being written by {holder}; stop that first or choose another")
    _check_content(path, resume=resume, overwrite=overwrite)


def _check_content(path: Path, *, resume: bool, overwrite: bool) -> None:
    run = RunDir(path)
    if ASSETS in run.path.resolve().parents:
        raise InputError(f"{path} lies among the bundled files, which are read-only; choose another folder")
    if run.running:
        raise InputError(f"{path} is being trained by process {run.status()['pid']}; stop that first or choose another")
    if not run.path.exists() or is_vacant(path):
        return
    if run.exists and not (resume or overwrite):
        raise InputError(
            f"{path} holds a run already; choose another name, --resume to go on, --overwrite to replace it"
        )
    if not run.exists and (run.path / QUEUED).exists():
        raise InputError(f"{path} waits in the app's queue; cancel it there or choose another name")
    if not run.exists:
        raise InputError(f"{path} holds other files and is not a run; choose another name")


def is_vacant(path: Path) -> bool:
    """Whether a folder is empty or holds only what a training killed at its start leaves, so its name is free.

    config.json counts only if it can be parsed: a power cut may have emptied it.
    """
    try:
        return path.is_dir() and all(_is_leftover(item) for item in path.iterdir())
    except OSError:
        return False


def _is_leftover(item: Path) -> bool:
    if item.name == "config.json":
        try:
            json.loads(item.read_bytes())
        except (ValueError, RecursionError):
            return True
        return False
    if item.name == "epochs":
        return all(head.name.endswith(".tmp") for head in item.iterdir())
    return item.name in LEFTOVERS or item.name.endswith(".tmp")


def remove_vacant(path: Path) -> None:
    """Delete a vacant folder that no process holds; one that fills meanwhile stays."""
    if not is_vacant(path) or writer(path):
        return
    with suppress(OSError):
        for item in [*path.glob("epochs/*"), *path.iterdir()]:
            if _is_leftover(item):
                item.rmdir() if item.is_dir() else item.unlink()
        path.rmdir()


def create(path: Path, config: RunConfig, *, resume: bool, overwrite: bool) -> RunDir:
    """An empty run directory, or the one to resume. Callers that train hold the folder, see `files.hold`.

    Raises:
        InputError: as `check_free`, or the folder cannot be written.
    """
    _check_content(path, resume=resume, overwrite=overwrite)
    run = RunDir(path)
    try:
        if run.exists and overwrite:
            _empty(path)
        (run.path / "epochs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write {error.filename or path}: {error.strerror}; choose another folder") from error
    if not run.exists or is_vacant(path):
        write_config(run.path, config)
    return RunDir(path)


def _empty(path: Path) -> None:
    """Delete a run's files but lock and stop; config.json last, so that it stays a run if this is interrupted."""
    for item in sorted(path.iterdir(), key=lambda item: item.name == "config.json"):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif item.name not in (LOCK, STOP_FILE):
            item.unlink()


def write_config(path: Path, config: RunConfig, **found: Any) -> None:
    """config.json with what was found while preparing, such as `data_fingerprint`."""
    record = {"v": FORMAT, **to_dict(config), "command": command(config, str(path)), "versions": _versions(), **found}
    write_json(path / "config.json", record)


def _versions() -> dict[str, str]:
    found = {"transclipped": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
