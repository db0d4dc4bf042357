"""Runs from elsewhere: they decide nothing that this machine opens until its owner says so here.

The settings of an upload name folders and files of another machine, and perhaps a network whose weights would be
fetched. None of these is used: `without_sources` takes the paths out, and imported.json in the run lists the settings
that are still to be given, such as "data.data". The owner gives each, or agrees to go without; then the run is as any
other. No zip can bring an imported.json, so its presence tells an imported run from others.
"""

from __future__ import annotations

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
SOURCES = ("data.data", "data.labels", "data.split", WEIGHTS)  # settings that name a place
MOST_RUNS = 200  # imported runs that are kept
MOST_BYTES = 2_000_000_000  # in all of them together
LEAST_FREE = 1_000_000_000  # bytes of disk that an import leaves


def without_sources(config: RunConfig) -> tuple[RunConfig, list[str]]:
    """The settings without any place on a disk, and the names of those that are to be given here.

    A backbone that is not bundled counts among the latter: its weights would be fetched.
    """
    values = {name: _value(config, name) for name in SOURCES}
    missing = [name for name, value in values.items() if value]
    if WEIGHTS not in missing and config.backbone.name not in (*BUNDLED, IDENTITY, AUTO):
        missing.append(WEIGHTS)
    data = replace(config.data, data=None, labels=None, split=None)
    return replace(config, data=data, backbone=replace(config.backbone, weights=None), plugin=None), missing


def mark(folder: Path, missing: list[str]) -> None:
    """Note that the run in `folder` was imported, and which settings are still to be given."""
    write_json(folder / FILE, {"v": 1, "missing": missing})


def is_imported(run: RunDir) -> bool:
    return (run.path / FILE).exists()


def missing(run: RunDir) -> list[str]:
    """Settings of an imported run that have not been given here yet; empty for any other run.

    Raises:
        InputError: imported.json is damaged.
    """
    if not is_imported(run):
        return []
    names = read_object(run.path / FILE, remedy="delete the run and import it again").get("missing")
    if not isinstance(names, list) or not all(name in SOURCES for name in names):
        raise InputError(f"{run.path / FILE} lists no settings; delete the run and import it again")
    return names


def check_backbone(run: RunDir) -> None:
    """Refuse to load the backbone of an imported run before its weights are named here.

    Raises:
        InputError: they are not.
    """
    if WEIGHTS in missing(run):
        raise InputError(
            f"{run.name} was imported without the weights of {run.config.backbone.name}; "
            "give a file or let them be fetched, at the top of any page of the app"
        )


def check_complete(run: RunDir) -> None:
    """Refuse to resume an imported run before all its settings are given.

    Raises:
        InputError: some are not.
    """
    if names := missing(run):
        raise InputError(f"{run.name} was imported and lacks {', '.join(names)}; give them at the top of any page")


def give(run: RunDir, settings: dict[str, str | None]) -> RunDir:
    """Settings of an imported run for this machine, by names of `missing`; None goes without.

    Raises:
        InputError: a name is none of them, or the disk refuses.
    """
    left = missing(run)
    if unknown := settings.keys() - set(left):
        raise InputError(f"{run.name} lacks no {', '.join(sorted(unknown))}")
    parts = {part: to_dict(run.config)[part] for part in ("data", "backbone")}
    for name, value in settings.items():
        part, key = name.split(".")
        parts[part][key] = value
    given = from_dict(RunConfig, to_dict(run.config) | parts)
    write_json(run.path / "config.json", run.record | parts | {"command": command(given, f"runs/{run.name}")})
    mark(run.path, [name for name in left if name not in settings])
    return RunDir(run.path)


def check_room(home: Path, *, free: int) -> None:
    """Refuse another import where there are many already, or little room is left.

    Args:
        home: folder of runs.
        free: bytes that are free on its disk.

    Raises:
        InputError: a bound is reached.
    """
    folders = [path.parent for path in home.glob(f"*/{FILE}")]
    if len(folders) >= MOST_RUNS:
        raise InputError(f"{len(folders)} imported runs are here, which is the most; delete some first")
    if (taken := sum(map(folder_size, folders))) >= MOST_BYTES:
        raise InputError(f"imported runs take {taken / 1e9:.1f} GB, at most {MOST_BYTES / 1e9:.0f}; delete some first")
    if free < LEAST_FREE:
        raise InputError(f"only {free / 1e9:.1f} GB of the disk are free; an import needs {LEAST_FREE / 1e9:.0f}")


def _value(config: RunConfig, name: str) -> str | None:
    part, key = name.split(".")
    return getattr(getattr(config, part), key)
