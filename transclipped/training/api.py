"""Training as one call, for notebooks and for the command `train`: settings by name, a bar on standard error."""

from __future__ import annotations

import difflib
import os
import sys
from collections import Counter
from functools import cache
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
    """Train a run in this process, index its database and measure retrieval; as the command `train` does.

    Args:
        dataset: cifar10 unless given.
        out: folder of the run; a new one below runs/ unless given.
        resume: the run that is there, with its own settings.
        overwrite: replace it.
        device: cpu, cuda or mps; the fastest there is unless given.
        options: settings by the names of their flags (`clip_sigma`, `train_limit`) or of their fields in the
            configuration (`rule`, `sigma`, `epochs`), where no two sections have one of this name.

    Returns:
        The finished run.

    Raises:
        InputError: a setting is unknown, given twice or breaks its rule; data or weights cannot be had; or `out` holds
            another run.
        KeyboardInterrupt: the run was stopped, by Ctrl-C or from the app, and has saved its state; `resume` goes on.

    Examples:
        A head of 32 bits, trained for an epoch on 200 images and searched among as many:

        >>> few = dict(train_limit=200, database_limit=200, query_limit=40, views=2, batch=50)
        >>> run = tc.train("cifar10", bits=32, rule="adaptive", sigma=2.0, epochs=1, out="runs/demo", **few)
        >>> run.config.clipping.rule, run.arrays.codes.shape
        ('adaptive', (200, 4))
        >>> tc.train(epoch=6)
        Traceback (most recent call last):
        ...
        transclipped.errors.InputError: there is no setting 'epoch'; did you mean epochs?
    """
    changes = by_path({"dataset": dataset, **options})
    plugins.load_named(changes.get("plugin"))
    path = Path(out).expanduser() if out is not None else new_folder(RUNS, changes)
    try:
        train_run(path, changes, resume=resume, overwrite=overwrite, device=device or best_device())
    except Stopped:
        raise KeyboardInterrupt(f"stopped; train(out={str(path)!r}, resume=True) goes on") from None
    return Run(path)


def train_run(path: Path, changes: dict[str, Any], *, resume: bool, overwrite: bool, device: str) -> None:
    """Train with the settings `changes`, by path, and defaults for the rest; plug-ins have been loaded.

    Raises:
        InputError: as `train`.
        Stopped: on request; the state is saved.
    """
    config = _resumed(path, changes) if resume else configured(RunConfig(), changes)
    if config.plugin:  # missing, it leaves a run that is to be resumed as it is
        plugins.ensure(config)
    with stop_signals() as stop_asked:
        work = run_training(
            config,
            path,
            resume=resume,
            overwrite=overwrite,
            device=device,
            chosen=frozenset(changes),
            tell=lambda sentence: print(sentence, file=sys.stderr),
            stop_asked=stop_asked,
        )
        for _ in with_bars(work):
            pass
    plugins.keep(config, path)


def new_folder(runs: Path, changes: dict[str, Any]) -> Path:
    """A folder below `runs` that is not there yet, named by data set, bits and rule."""
    config = configured(RunConfig(), changes)
    stem = f"{config.data.dataset}-{config.quantizer.bits}-{config.clipping.rule}".replace("+", "-")
    return next(path for i in range(1, 10_000) if not (path := runs / f"{stem}-{i}").exists())


def by_path(options: dict[str, Any]) -> dict[str, Any]:
    """Settings by path, such as "clipping.sigma", of keyword arguments; None is a setting that was not given.

    Raises:
        InputError: there is no such setting, or two names of one.
    """
    paths, names = _paths(), {}
    for name in options:
        if name not in paths:
            near = difflib.get_close_matches(name, paths, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(sorted(paths))}"
            raise InputError(f"there is no setting {name!r}; {hint}")
        if (earlier := names.setdefault(paths[name], name)) != name:
            raise InputError(f"{earlier} and {name} are the same setting; give one of them")
    values = {paths[name]: value for name, value in options.items() if value is not None}
    return {path: str(value) if isinstance(value, os.PathLike) else value for path, value in values.items()}


@cache
def _paths() -> dict[str, str]:
    """Path by keyword: flags' names with underscores, and names of fields that one section alone has."""
    flags = {flag.name.removeprefix("--").replace("-", "_"): flag.path for flag in FLAGS}
    fields = [(flag.path.rpartition(".")[2], flag.path) for flag in FLAGS]
    count = Counter(name for name, _ in fields)
    return {name: path for name, path in fields if count[name] == 1} | flags


def _resumed(path: Path, changes: dict[str, Any]) -> RunConfig:
    """The run's own settings; what is given again must agree with them."""
    config = RunDir(path).config
    saved = settings(config)
    for name, value in changes.items():
        if saved[name] != value and name != "plugin":  # which has to be given again, wherever it lies now
            raise InputError(
                f"{path} was started with {name} = {saved[name]}, not {value}; "
                "leave the setting out to go on, or start another run"
            )
    return config
