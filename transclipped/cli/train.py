"""`train`: a run, or one for each of several seeds."""

import argparse
import copy
import sys
from contextlib import redirect_stdout
from pathlib import Path

from transclipped.cli import INTERRUPTED
from transclipped.cli.evaluate import print_metrics
from transclipped.cli.options import add_shared, device_of
from transclipped.cli.summary import print_summary
from transclipped.errors import InputError
from transclipped.flags import add_flags, given


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--run", type=Path, help="run directory (default: a new one in the folder of runs)")
    option("--runs", type=Path, default=Path("runs"), help="folder of runs (default runs)")
    option("--resume", action="store_true", help="resume an interrupted run")
    option("--overwrite", action="store_true", help="replace an existing run")
    option("--seeds", type=int, nargs="+", help="train one run per seed, and report mean and interval")
    add_shared(parser, device=True)
    add_flags(parser)


def run(arguments: argparse.Namespace) -> int:
    return _train_seeds(arguments) if arguments.seeds else _train_one(arguments)


def _train_one(arguments: argparse.Namespace) -> int:
    from transclipped.training.api import new_folder, train_run
    from transclipped.training.train import Stopped

    if arguments.resume and arguments.run is None:
        raise InputError("--resume needs --run, the directory of the run to resume")
    changes = given(arguments)
    folder = arguments.run or new_folder(arguments.runs, changes)
    try:
        train_run(folder, changes, resume=arguments.resume, overwrite=arguments.overwrite, device=device_of(arguments))
    except Stopped:
        print(f"stopped; `train --run {folder} --resume` resumes the run", file=sys.stderr)
        return INTERRUPTED
    print_metrics(arguments, folder)
    return 0


def _train_seeds(arguments: argparse.Namespace) -> int:
    """Train a run named RUN-seedN for each of `arguments.seeds`, and print their summary.

    --resume skips finished ones and resumes the interrupted one.
    """
    from transclipped.runs.run import RunDir

    if arguments.set_seed is not None:
        raise InputError("give --seed or --seeds, not both")
    if len(set(arguments.seeds)) < len(arguments.seeds) or min(arguments.seeds) < 0:
        raise InputError(f"--seeds are {' '.join(map(str, arguments.seeds))}; choose different whole numbers from 0")
    if arguments.run is None:
        raise InputError("--seeds needs --run, the first part of the runs' names, such as --run runs/demo")
    folders = [arguments.run.with_name(f"{arguments.run.name}-seed{seed}") for seed in arguments.seeds]
    for seed, folder in zip(arguments.seeds, folders, strict=True):
        run_dir = RunDir(folder)
        if arguments.resume and run_dir.exists and run_dir.metrics() and run_dir.status().get("state") == "finished":
            print(f"{folder} is finished", file=sys.stderr)
            continue
        one = copy.copy(arguments)
        one.run, one.set_seed, one.seeds = folder, seed, None
        one.resume = arguments.resume and run_dir.exists
        with redirect_stdout(sys.stderr):  # --json prints one JSON document, the summary
            if code := _train_one(one):
                return code
    print_summary(arguments, folders)
    return 0
