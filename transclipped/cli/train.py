"""`train`: a run, or one for each of several seeds."""

from __future__ import annotations

import argparse
import copy
import sys
from contextlib import redirect_stdout
from pathlib import Path

from transclipped.cli import INTERRUPTED
from transclipped.cli.evaluate import report_run
from transclipped.cli.options import add_shared, device_of
from transclipped.cli.summary import print_summary
from transclipped.errors import InputError
from transclipped.flags import add_flags, given


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_train)
    option = parser.add_argument
    option("--run", type=Path, help="run directory (default: a new one below --runs)")
    option("--runs", type=Path, default=Path("runs"), help="folder of runs (default runs)")
    option("--resume", action="store_true", help="go on with an interrupted run")
    option("--overwrite", action="store_true", help="replace an existing run")
    option("--seeds", type=int, nargs="+", help="train a run for each, and report mean and interval")
    add_shared(parser, device=True)
    add_flags(parser)


def _train(arguments: argparse.Namespace) -> int:
    return _train_seeds(arguments) if arguments.seeds else _train_one(arguments)


def _train_one(arguments: argparse.Namespace) -> int:
    from transclipped.training.api import new_folder, train_run
    from transclipped.training.train import Stopped

    changes = given(arguments)
    run = arguments.run or new_folder(arguments.runs, changes)
    try:
        train_run(run, changes, resume=arguments.resume, overwrite=arguments.overwrite, device=device_of(arguments))
    except Stopped:
        print(f"stopped; `train --run {run} --resume` goes on", file=sys.stderr)
        return INTERRUPTED
    return report_run(run, as_json=arguments.json)


def _train_seeds(arguments: argparse.Namespace) -> int:
    """Train a run for each of `arguments.seeds`, below the name <run>-seed<n>, and print their summary.

    Finished ones are kept with --resume, so that a series that was stopped goes on.
    """
    from transclipped.runs.run import RunDir

    if arguments.set_seed is not None:
        raise InputError("give --seed or --seeds, not both")
    if len(set(arguments.seeds)) < len(arguments.seeds) or min(arguments.seeds) < 0:
        raise InputError(f"--seeds are {' '.join(map(str, arguments.seeds))}; choose different whole numbers from 0")
    if arguments.run is None:
        raise InputError("--seeds needs --run, whose name the runs begin with, such as --run runs/demo")
    runs = [arguments.run.with_name(f"{arguments.run.name}-seed{seed}") for seed in arguments.seeds]
    for seed, path in zip(arguments.seeds, runs, strict=True):
        run = RunDir(path)
        if arguments.resume and run.exists and run.metrics() and run.status().get("state") == "finished":
            print(f"{path} is finished", file=sys.stderr)
            continue
        one = copy.copy(arguments)
        one.run, one.set_seed, one.seeds = path, seed, None
        one.resume = arguments.resume and run.exists
        with redirect_stdout(sys.stderr):  # where --json promises JSON alone
            code = _train_one(one)
        if code:
            return code
    print_summary(runs, as_json=arguments.json)
    return 0
