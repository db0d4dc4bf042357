"""Imported runs: their settings open nothing on this machine until its owner agrees.

The settings of an upload name folders and files of another machine, and perhaps a network whose weights would be
downloaded. None of these is used: `without_sources` removes the paths, and imported.json in the run lists the missing
settings, such as "data.data". The owner sets each or agrees to do without; then the run is like any other. No zip can
contain an imported.json, so its presence marks an imported run.
"""

from dataclasses import replace
from pathlib import Path

from transclipped.config import AUTO, IDENTITY, RunConfig, from_dict, to_dict
from transclipped.errors import InputError
from transclipped.flags import command
from transclipped.models.zoo import BUNDLED
from transclipped.runs.records import read_object
from transclipped.runs.run import RunDir
from transclipped.utils.files import folder_size, write_json

FILE = "imported.json"
WEIGHTS = "backbone.weights"
SOURCES = ("data.data", "data.labels", "data.split", WEIGHTS)  # settings that are paths
MOST_RUNS = 200  # imported runs
MOST_BYTES = 2_000_000_000  # in all imported runs together
LEAST_FREE = 1_000_000_000  # bytes that must be free on the disk


def without_sources(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """The settings without any path, and the names of those to be set here.

    They include the weights of a backbone that is not bundled, since those would be downloaded.
    """
    values = to_dict(config)
    missing = [name for name in SOURCES if _get(values, name)]
    if WEIGHTS not in missing and config.backbone.name not in (*BUNDLED, IDENTITY, AUTO):
        missing.append(WEIGHTS)
    data = replace(config.data, data=None, labels=None, split=None)
    return replace(config, data=data, backbone=replace(config.backbone, weights=None), plugin=None), missing


def mark(folder: Path, missing: list[str]) -> None:
    """Record that the run in `folder` was imported, and its missing settings."""
    write_json(folder / FILE, {"v": 1, "missing": missing})


def is_imported(run: RunDir) -> bool:
    return (run.path / FILE).exists()


def missing(run: RunDir) -> list[str]:
    """Missing settings of an imported run; empty for any other run. Raises InputError if imported.json is damaged."""
    if not is_imported(run):
        return []
    names = read_object(run.path / FILE, remedy="delete the run and import it again").get("missing")
    if not isinstance(names, list) or not all(name in SOURCES for name in names):
        raise InputError(f"{run.path / FILE} is damaged; delete the run and import it again")
    return names


def check_backbone(run: RunDir) -> None:
    """Refuse, by an InputError, to load the backbone of an imported run before its weights are set."""
    if WEIGHTS in missing(run):
        raise InputError(
            f"{run.name} was imported without the weights of {run.config.backbone.name}; "
            "choose a file or allow the download, at the top of any page of the app"
        )


def check_complete(run: RunDir) -> None:
    """Refuse, by an InputError, to resume an imported run before all its settings are set."""
    if names := missing(run):
        raise InputError(f"{run.name} was imported and lacks {', '.join(names)}; set them at the top of any page")


def give(run: RunDir, settings: dict[str, str | None]) -> RunDir:
    """Set missing settings of an imported run on this machine, None to do without; InputError for any other name."""
    left = missing(run)
    if unknown := settings.keys() - set(left):
        raise InputError(f"{run.name} does not lack {', '.join(sorted(unknown))}")
    parts = {part: to_dict(run.config)[part] for part in ("data", "backbone")}
    for name, value in settings.items():
        part, key = name.split(".")
        parts[part][key] = value
    given = from_dict(RunConfig, to_dict(run.config) | parts)
    write_json(run.path / "config.json", run.record | parts | {"command": command(given, f"runs/{run.name}")})
    mark(run.path, [name for name in left if name not in settings])
    return RunDir(run.path)


def check_room(home: Path, *, free: int) -> None:
    """Refuse, by an InputError, another import into `home` if there are too many, or little disk space is `free`."""
    folders = [path.parent for path in home.glob(f"*/{FILE}")]
    if len(folders) >= MOST_RUNS:
        raise InputError(f"{len(folders)} imported runs exist, the maximum; delete some first")
    if (taken := sum(map(folder_size, folders))) >= MOST_BYTES:
        raise InputError(f"imported runs take {taken / 1e9:.1f} of {MOST_BYTES / 1e9:.0f} GB; delete some first")
    if free < LEAST_FREE:
        raise InputError(f"only {free / 1e9:.1f} GB of disk space is free; an import needs {LEAST_FREE / 1e9:.0f} GB")


def _get(values: dict, name: str) -> str | None:
    part, key = name.split(".")
    return values[part][key]
