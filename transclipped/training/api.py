"""Training in one call, for notebooks and the command `train`: settings by name, a progress bar on standard error."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from functools import cache, partial
from pathlib import Path
from typing import Any

from transclipped import plugins
from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.flags import FLAGS, configured, settings
from transclipped.runs.opened import Run
from transclipped.runs.run import RunDir
from transclipped.training.train import Stopped, run_training
from transclipped.utils.machine import best_device, stop_signals
from transclipped.utils.progress import with_bars

RUNS = Path("runs")


def train(
    dataset: str | None = None,
    *,
    out: str | os.PathLike | None = None,
    resume: bool = False,
    overwrite: bool = False,
    device: str | None = None,
    **options: Any,
) -> Run:
    """Train a run, index its database and measure retrieval, as the command `train` does; returns the finished run.

    Args:
        dataset: cifar10 by default.
        out: folder of the run; by default, a new one below runs/.
        resume: continue the existing run with its own settings.
        overwrite: replace the existing run.
        device: cpu, cuda or mps; by default, the fastest available.
        options: settings by the names of their flags (`clip_sigma`, `train_limit`) or of their fields in the
            configuration (`rule`, `sigma`, `epochs`), if only one section has a field of this name.

    Raises:
        InputError: a setting is unknown, given twice or invalid; data or weights are unavailable; or `out` holds
            another run.
        KeyboardInterrupt: the run was stopped, by Ctrl-C or from the app; `resume` continues from its saved state.

    Examples:
        A head of 32 bits, trained for an epoch on 200 images that are also the database:

        >>> few = dict(train_limit=200, database_limit=200, query_limit=40, views=2, batch=50)
        >>> run = tc.train("cifar10", bits=32, rule="adaptive", sigma=2.0, epochs=1, out="runs/demo", **few)
        >>> run.config.clipping.rule, run.arrays.codes.shape
        ('adaptive', (200, 4))
        >>> tc.train(epoch=6)
        Traceback (most recent call last):
        ...
        transclipped.errors.InputError: there is no setting 'epoch'; did you mean epochs?
    """
    if resume and out is None:
        raise InputError("resume=True needs out, the folder of the run to resume")
    changes = by_path({"dataset": dataset, **options})
    plugins.load_named(changes.get("plugin"))
    path = Path(out).expanduser() if out is not None else new_folder(RUNS, changes)
    try:
        train_run(path, changes, resume=resume, overwrite=overwrite, device=device or best_device())
    except Stopped:
        raise KeyboardInterrupt(f"stopped; train(out={str(path)!r}, resume=True) continues") from None
    return Run(path)


def train_run(path: Path, changes: dict[str, Any], *, resume: bool, overwrite: bool, device: str) -> None:
    """Train with the settings `changes`, by path, and defaults for the rest; plug-ins are loaded already.

    Raises:
        InputError: as `train`.
        Stopped: on request; the state is saved.
    """
    config = _resumed(path, changes) if resume else configured(RunConfig(), changes)
    if config.plugin:  # checked first, so that a missing plug-in leaves a run to resume unchanged
        plugins.ensure(config)
    with stop_signals() as stop_asked:
        options = {"resume": resume, "overwrite": overwrite, "device": device, "stop_asked": stop_asked}
        tell = partial(print, file=sys.stderr)
        for _ in with_bars(run_training(config, path, chosen=frozenset(changes), tell=tell, **options)):
            pass
    plugins.keep(config, path)


def new_folder(runs: Path, changes: dict[str, Any]) -> Path:
    """A folder below `runs` that does not exist yet, named by data set, bits and rule."""
    config = configured(RunConfig(), changes)
    stem = f"{config.data.dataset}-{config.quantizer.bits}-{config.clipping.rule}".replace("+", "-")
    return next(path for i in range(1, 10_000) if not (path := runs / f"{stem}-{i}").exists())


def by_path(options: dict[str, Any]) -> dict[str, Any]:
    """Settings by path, such as "clipping.sigma", from keyword arguments that are not None.

    Raises:
        InputError: a name is unknown, or two name the same setting.
    """
    paths, names = _paths(), {}
    for name in options:
        if name not in paths:
            near = difflib.get_close_matches(name, paths, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(sorted(paths))}"
            raise InputError(f"there is no setting {name!r}; {hint}")
        if (earlier := names.setdefault(paths[name], name)) != name:
            raise InputError(f"{earlier} and {name} are the same setting; give one of them")
    values = {paths[name]: value for name, value in options.items() if value is not None}
    return {path: str(value) if isinstance(value, os.PathLike) else value for path, value in values.items()}


@cache
def _paths() -> dict[str, str]:
    """Path by keyword: flags with underscores, and names of fields that only one section has."""
    flags = {flag.name.removeprefix("--").replace("-", "_"): flag.path for flag in FLAGS}
    fields = [(flag.path.rpartition(".")[2], flag.path) for flag in FLAGS]
    count = Counter(name for name, _ in fields)
    return {name: path for name, path in fields if count[name] == 1} | flags


def _resumed(path: Path, changes: dict[str, Any]) -> RunConfig:
    """The configuration of a run to resume; InputError if `changes` differ from it."""
    config = RunDir(path).config
    saved = settings(config)
    for name, value in changes.items():
        if saved[name] != value and name != "plugin":  # whose file may have moved
            raise InputError(
                f"{path} was started with {name} = {saved[name]}, not {value}; "
                "omit the setting to resume, or start another run"
            )
    return config
