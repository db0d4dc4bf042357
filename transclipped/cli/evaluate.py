"""`evaluate`: how well a run retrieves."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from transclipped.cli.options import add_shared, device_of
from transclipped.flags import configured
from transclipped.utils.progress import with_bars

UNREADABLE = 10  # images that are named of those that cannot be read


def add(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.set_defaults(handler=_evaluate)
    option = parser.add_argument
    option("--run", type=Path, required=True, help="run directory")
    option("--k", type=int, help="K of mAP@K (default: the run's)")
    option("--stored", action="store_true", help="measure the stored codes and queries, encode nothing")
    add_shared(parser, device=True, plugin=True)


def _evaluate(arguments: argparse.Namespace) -> int:
    from transclipped.runs.run import RunDir
    from transclipped.runs.session import prepare_run
    from transclipped.training import evaluation

    run = RunDir(arguments.run)
    changes = {} if arguments.k is None else {"k": arguments.k}
    config = configured(run.config, changes)
    if arguments.stored:
        _report(evaluation.measure_stored(run, k=config.k), as_json=arguments.json)
        return 0
    session = replace(prepare_run(run, device=device_of(arguments)), config=config)
    for _ in with_bars(evaluation.measure_alone(session, run)):
        pass
    return report_run(arguments.run, as_json=arguments.json)


def report_run(run: Path, *, as_json: bool) -> int:
    """Print what was measured of a run; returns the exit status."""
    from transclipped.runs.run import RunDir

    metrics = {"run": str(run), **(RunDir(run).metrics() or {})}
    _report(metrics, as_json=as_json)
    return 0


def _report(metrics: dict[str, Any], *, as_json: bool) -> None:
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
