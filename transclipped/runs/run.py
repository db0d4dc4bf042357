"""The run directory: all files of a training, as pages and commands read them.

    config.json  events.jsonl  model.safetensors  epochs/<n>.safetensors  last.safetensors
    split.json   retrieval.npz metrics.json       status.json                lock

A process that trains or measures holds the lock. Files are replaced atomically, so a reader never sees half of one;
nothing is ever unpickled.
"""

import hashlib
import json
import platform
import shutil
import time
from contextlib import suppress
from dataclasses import fields
from functools import cached_property, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from transclipped import __version__
from transclipped.config import RunConfig, from_dict, to_dict
from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.models.tensor_header import read_header
from transclipped.retrieval.store import REMEDY, Retrieval
from transclipped.runs import records
from transclipped.runs.records import FORMAT
from transclipped.utils.arrays import check_arrays
from transclipped.utils.files import ASSETS, LOCK, write_json, writer
from transclipped.utils.machine import process_alive

SILENCE = 15.0  # heartbeat timeout in seconds
QUEUED = "queued.json"  # marks a folder whose training is queued
STOP_FILE = "stop"  # asks a training to save its state and end
LEFTOVERS = (STOP_FILE, LOCK, "log.txt", "status.json")  # of no value without settings
_FIRST = ("config.json", "model.safetensors", "retrieval.npz", "metrics.json", "status.json")
_SETTINGS = {field.name for field in fields(RunConfig)}  # keys of settings in config.json
PACKAGES = ("torch", "timm", "faiss-cpu", "numpy")


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
        """Content of config.json: settings, command, versions and fingerprints."""
        if not self.exists:
            raise InputError(f"{self.path} is not a run: it has no config.json; `train --run {self.path}` creates one")
        return records.read_config(self.path / "config.json")

    @cached_property
    def config(self) -> RunConfig:
        settings = {k: v for k, v in self.record.items() if k in _SETTINGS}
        try:
            return from_dict(RunConfig, settings)
        except InputError as error:
            raise InputError(f"{self.path / 'config.json'}: {error}") from error

    @property
    def fingerprint(self) -> str:
        """Hash that changes with the trained model and its measurements; 16 hex digits."""
        stamp = [str(self.path.resolve()), *map(str, self._stamp()[:4])]
        return hashlib.sha256("\n".join(stamp).encode()).hexdigest()[:16]

    def _stamp(self) -> tuple:
        """Time and size of each file that pages read first, None if missing."""
        return tuple(_written(self.path / name) for name in _FIRST)

    def metrics(self) -> dict[str, Any] | None:
        path = self.path / "metrics.json"
        return records.read_metrics(path) if path.exists() else None

    def retrieval(self, *, most_bytes: int | None = None) -> Retrieval:
        """retrieval.npz; `most_bytes` as in `Retrieval.load`."""
        classes = len(self.record["class_names"]) if "class_names" in self.record else None
        return Retrieval.load(self.path / "retrieval.npz", classes=classes, most_bytes=most_bytes)

    def status(self) -> dict[str, Any]:
        """status.json; the state of a run without a process and recent heartbeat is "interrupted".

        A heartbeat in the future is not recent: the clock was set back.
        """
        path = self.path / "status.json"
        if not path.exists():
            return {"state": "finished" if (self.path / "metrics.json").exists() else "interrupted"}
        status = records.read_status(path)
        recent = abs(time.time() - status.get("heartbeat", 0)) <= SILENCE
        if status["state"] == "running" and not recent and not _alive(status):
            status["state"] = "interrupted"
        return status

    def problem(self) -> str | None:
        """Error message of the first damaged file, as far as a list of runs checks them; None if there is none."""
        return _problem(self.path, self._stamp())

    @property
    def running(self) -> bool:
        """Whether a process is training it now; False if status.json is damaged."""
        try:
            status = self.status()
        except InputError:
            return False
        return status.get("state") == "running" and _alive(status)

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Events so far, of the given kinds or all; invalid lines, such as a torn last one, are skipped."""
        events = records.read_events(self.path / "events.jsonl")
        return [event for event in events if event and (not kinds or event["kind"] in kinds)]

    def epochs(self) -> list[int]:
        """Epochs with a stored head, ascending."""
        return sorted(int(p.stem) for p in (self.path / "epochs").glob("*.safetensors") if p.stem.isdecimal())

    def head(self, *, epoch: int | None = None):
        """The trained head, or that of an epoch. Raises InputError if it is missing or does not fit the settings."""
        from transclipped.models.head import load_head

        path = self.path / ("model.safetensors" if epoch is None else f"epochs/{epoch}.safetensors")
        return load_head(path, self.config.quantizer)

    def ask_to_stop(self) -> None:
        """Ask the training to save its state and end at the next step."""
        (self.path / STOP_FILE).touch()


def find_runs(*folders: Path) -> list[RunDir]:
    """Runs directly inside the given folders, newest first within each."""
    result = []
    for folder in folders:
        runs = [RunDir(p.parent) for p in Path(folder).glob("*/config.json")]
        result += sorted(runs, key=lambda run: _written(run.path / "config.json") or (0, 0), reverse=True)
    return result


def _written(path: Path) -> tuple[int, int] | None:
    """Time of the last change of a file, in nanoseconds, and its size; None if missing."""
    try:
        info = path.stat()
    except OSError:
        return None
    return info.st_mtime_ns, info.st_size


@lru_cache(maxsize=1024)
def _problem(path: Path, stamp: tuple) -> str | None:
    run = RunDir(path)
    try:
        _ = run.config, run.metrics(), run.status()
        if (path / "model.safetensors").exists():
            read_header(path / "model.safetensors")
        if (path / "retrieval.npz").exists():
            check_arrays(path / "retrieval.npz", remedy=REMEDY)
    except InputError as error:
        return str(error)
    return None


def _alive(status: dict[str, Any]) -> bool:
    """Whether the process that wrote a status still exists; another process with its ID does not count."""
    return process_alive(status.get("pid", -1), status.get("started"))


def check_free(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse, by an InputError, a folder that a training may not write to.

    It is bundled, in training, being measured or queued; or it holds other files, or a run, with neither `resume` nor
    `overwrite`.
    """
    if holder := writer(path):
        raise InputError(f"{path} is in use by {holder}; stop that first or choose another")
    _check_content(path, resume=resume, overwrite=overwrite)


def _check_content(path: Path, *, resume: bool, overwrite: bool) -> None:
    run = RunDir(path)
    if ASSETS in run.path.resolve().parents:
        raise InputError(f"{path} is inside the bundled files, which are read-only; choose another folder")
    if run.running:
        raise InputError(f"{path} is being trained by process {run.status()['pid']}; stop that first or choose another")
    if not run.path.exists() or is_vacant(path):
        return
    if run.exists and not (resume or overwrite):
        raise InputError(f"{path} holds a run already; choose another name, or use --resume or --overwrite")
    if not run.exists and (run.path / QUEUED).exists():
        raise InputError(f"{path} is in the app's queue; cancel it there or choose another name")
    if not run.exists:
        raise InputError(f"{path} holds other files and is not a run; choose another name")


def is_vacant(path: Path) -> bool:
    """Whether a folder is empty, or holds only leftovers of a training that was killed at its start.

    A config.json that cannot be parsed is a leftover: a power cut may have emptied it.
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
    """Delete a vacant folder that no process holds; new files in it stay."""
    if not is_vacant(path) or writer(path):
        return
    with suppress(OSError):
        for item in [*path.glob("epochs/*"), *path.iterdir()]:
            if _is_leftover(item):
                item.rmdir() if item.is_dir() else item.unlink()
        path.rmdir()


def create(path: Path, config: RunConfig, *, resume: bool, overwrite: bool, **facts: Any) -> RunDir:
    """A new run directory, or the one to resume; a training must hold the folder, see `files.hold`.

    Args:
        facts: as of `write_config`, for a new run.

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
        write_config(run.path, config, **facts)
    return RunDir(path)


def _empty(path: Path) -> None:
    """Delete a run's files except lock and stop; config.json last, so that an interrupted deletion leaves a run."""
    for item in sorted(path.iterdir(), key=lambda item: item.name == "config.json"):
        if item.is_dir() and not item.is_symlink():
            shutil.rmtree(item)
        elif item.name not in (LOCK, STOP_FILE):
            item.unlink()


def write_config(path: Path, config: RunConfig, **facts: Any) -> None:
    """Write config.json: the settings, and facts about images and backbone, such as `data_fingerprint`."""
    record = {"v": FORMAT, **to_dict(config), "command": command(config, str(path)), "versions": _versions(), **facts}
    write_json(path / "config.json", record)


def _versions() -> dict[str, str]:
    versions = {"transclipped": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        with suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions
