"""`evaluate`: how well a run retrieves."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared, device_of, finish, print_result
from transclipped.flags import configured

UNREADABLE = 10  # unreadable images that are printed by name


def add(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument
    option("--run", type=Path, required=True, help="run directory")
    option("--k", type=int, help="K of mAP@K (default: the run's)")
    option("--stored", action="store_true", help="measure the stored codes and queries; encode nothing")
    add_shared(parser, device=True, plugin=True)


def run(arguments: argparse.Namespace) -> None:
    from transclipped.runs.run import RunDir
    from transclipped.runs.session import prepare_run
    from transclipped.training import evaluation

    run_dir = RunDir(arguments.run)
    config = configured(run_dir.config, {} if arguments.k is None else {"k": arguments.k})
    if arguments.stored:
        metrics = evaluation.measure_stored(run_dir, k=config.k)
        return print_result(arguments, metrics, _text(metrics))
    session = replace(prepare_run(run_dir, device=device_of(arguments)), config=config)
    finish(evaluation.measure_locked(session, run_dir))
    print_metrics(arguments, arguments.run)


def print_metrics(arguments: argparse.Namespace, run: Path) -> None:
    """Print the stored metrics of a run."""
    from transclipped.runs.run import RunDir

    metrics = {"run": str(run), **(RunDir(run).metrics() or {})}
    print_result(arguments, metrics, _text(metrics))


def _text(metrics: dict[str, Any]) -> str:
    lines = [f"run {metrics['run']}"] if metrics.get("run") else []
    unreadable = metrics.get("unreadable", {})
    lines += [f"skipped {name}: {reason}" for name, reason in unreadable.get("images", [])[:UNREADABLE]]
    if unreadable.get("count", 0) > UNREADABLE:
        lines.append(f"skipped {unreadable['count'] - UNREADABLE:,} more unreadable images; --json names them")
    queries = "1 query" if metrics["n_queries"] == 1 else f"{metrics['n_queries']:,} queries"
    lines.append(f"{queries}, {metrics['n_database']:,} in the database, K = {metrics['k']:,}")
    if not metrics["modes"]:
        lines.append("no labels, so no mAP")
    for mode, values in metrics["modes"].items():
        result = "no labels, so no mAP"
        if values.get("map") is not None:
            result = f"mAP {values['map']:.4f}   tie-aware {values['map_tie_aware']:.4f}"
        lines.append(f"{mode:<11} {result}")
    return "\n".join(lines)
