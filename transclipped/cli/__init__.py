"""The same work without a browser: `python -m transclipped <command> --help`.

Results go to standard output (with --json, JSON alone); progress and messages to standard error.
Exit status: 0 done, 2 bad input (one readable line), 130 interrupted with the state saved.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from transclipped.cli import bundle as commands_bundle
from transclipped.cli import datasets as commands_datasets
from transclipped.cli import export as commands_export
from transclipped.cli import lab as commands_lab
from transclipped.cli import maps as commands_maps
from transclipped.cli import pretrain as commands_pretrain
from transclipped.cli import search as commands_search
from transclipped.cli import study as commands_study
from transclipped.cli import summary as commands_summary
from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.flags import add_flags, configured, given, settings
from transclipped.utils.output import escape_in_output
from transclipped.utils.progress import with_bars

INTERRUPTED = 130
UNREADABLE = 10  # images that are named of those that cannot be read
# Modules with commands of their own.
MORE = (
    commands_search,
    commands_datasets,
    commands_export,
    commands_summary,
    commands_pretrain,
    commands_study,
    commands_bundle,
    commands_lab,
    commands_maps,
)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    escape_in_output()
    try:
        _load_plugins()  # first, since help and choices list what they register
        arguments = _parser().parse_args(argv)
        _load_plugins(arguments)
        return arguments.handler(arguments) or 0
    except InputError as error:
        print(f"transclipped: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader of a pipe, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"transclipped: {error.filename or 'file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return INTERRUPTED


def _load_plugins(arguments: argparse.Namespace | None = None) -> None:
    """Files of one's own code that the command line or the environment spells out; see `plugins.py`."""
    named = getattr(arguments, "plugin", None), getattr(arguments, "set_plugin", None)
    if any(named) or os.environ.get("TRANSCLIPPED_PLUGINS"):
        from transclipped.plugins import load_named

        load_named(*named)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m transclipped", description="Unsupervised image retrieval.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_train, _add_evaluate):
        add(commands)
    for module in MORE:
        module.add(commands)
    return parser


def _command(commands, name: str, handler, summary: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary)
    parser.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    parser.set_defaults(handler=handler)
    return parser


# train


def _add_train(commands) -> None:
    parser = _command(commands, "train", _train, "Train a run, index its database and measure retrieval.")
    parser.add_argument("--run", type=Path, help="run directory (default: a new one below --runs)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs (default runs)")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted run")
    parser.add_argument("--overwrite", action="store_true", help="replace an existing run")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")
    parser.add_argument("--seeds", type=int, nargs="+", help="train a run for each, and report mean and interval")
    add_flags(parser)


def _train(arguments: argparse.Namespace) -> int:
    if arguments.seeds:
        return commands_summary.train_seeds(arguments, _train)
    changes = given(arguments)
    run = arguments.run or arguments.runs / _new_name(arguments.runs, changes)
    config = _resumed(run, changes) if arguments.resume else configured(RunConfig(), changes)
    from transclipped import plugins
    from transclipped.training.train import Stopped, run_training
    from transclipped.utils.machine import best_device, on_stop_signals

    asked: list[int] = []
    on_stop_signals(asked.append)
    work = run_training(
        config,
        run,
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        device=arguments.device or best_device(),
        chosen=frozenset(changes),
        tell=lambda sentence: print(sentence, file=sys.stderr),
        stop_asked=lambda: asked[0] if asked else None,
    )
    try:
        for _ in with_bars(work):
            pass
    except Stopped:
        print(f"stopped; `train --run {run} --resume` goes on", file=sys.stderr)
        return INTERRUPTED
    if config.plugin:
        plugins.keep(config, run)
    return _report_run(run, arguments.json)


def _new_name(runs: Path, changes: dict[str, Any]) -> str:
    config = configured(RunConfig(), changes)
    stem = f"{config.data.dataset}-{config.quantizer.bits}-{config.clipping.rule}".replace("+", "-")
    return next(name for i in range(1, 10_000) if not (runs / (name := f"{stem}-{i}")).exists())


def _resumed(run: Path, changes: dict[str, Any]) -> RunConfig:
    """The run's own settings; what is spelled out again must agree with them."""
    from transclipped.runs.run import RunDir

    config = RunDir(run).config
    saved = settings(config)
    for path, value in changes.items():
        if saved[path] != value and path != "plugin":  # which has to be spelled out again, wherever it lies now
            raise InputError(
                f"{run} was started with {path} = {saved[path]}, not {value}; "
                "leave the setting out to go on, or start another run"
            )
    return config


# evaluate


def _add_evaluate(commands) -> None:
    parser = _command(commands, "evaluate", _evaluate, "Measure the retrieval of a trained run.")
    parser.add_argument("--run", type=Path, required=True, help="run directory")
    parser.add_argument("--k", type=int, help="K of mAP@K (default: the run's)")
    parser.add_argument("--plugin", help="Python file that registers what the run was trained with")
    parser.add_argument("--stored", action="store_true", help="measure the stored codes and queries, encode nothing")
    parser.add_argument("--device", help="cpu, cuda or mps (default: the fastest there is)")


def _evaluate(arguments: argparse.Namespace) -> int:
    from transclipped.runs.run import RunDir
    from transclipped.runs.session import prepare_run
    from transclipped.training import evaluation
    from transclipped.utils.machine import best_device

    run = RunDir(arguments.run)
    changes = {} if arguments.k is None else {"k": arguments.k}
    config = configured(run.config, changes)
    if arguments.stored:
        _report(evaluation.measure_stored(run, k=config.k), arguments.json)
        return 0
    session = replace(prepare_run(run, device=arguments.device or best_device()), config=config)
    for _ in with_bars(evaluation.measure_alone(session, run)):
        pass
    return _report_run(arguments.run, arguments.json)


def _report_run(run: Path, as_json: bool) -> int:
    from transclipped.runs.run import RunDir

    metrics = {"run": str(run), **(RunDir(run).metrics() or {})}
    _report(metrics, as_json)
    return 0


def _report(metrics: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(metrics, ensure_ascii=False))
        return
    if run := metrics.get("run"):
        print(f"run {run}")
    damaged = metrics.get("unreadable", {})
    for name, reason in damaged.get("images", [])[:UNREADABLE]:
        print(f"skipped {name}: {reason}")
    if damaged.get("count", 0) > UNREADABLE:
        print(f"skipped {damaged['count'] - UNREADABLE:,} more images that cannot be read; --json names them")
    queries = "1 query" if metrics["n_queries"] == 1 else f"{metrics['n_queries']:,} queries"
    print(f"{queries}, {metrics['n_database']:,} in the database, K = {metrics['k']:,}")
    if not metrics["modes"]:
        print("no labels, so no mAP")
    for mode, found in metrics["modes"].items():
        if found.get("map") is None:
            print(f"{mode:<11} no labels, so no mAP")
        else:
            print(f"{mode:<11} mAP {found['map']:.4f}   tie-aware {found['map_tie_aware']:.4f}")
