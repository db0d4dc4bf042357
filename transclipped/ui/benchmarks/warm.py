"""Warm-up of Benchmarks."""

from transclipped.runs.run import RunDir
from transclipped.ui import runs
from transclipped.ui.benchmarks import view


def warm(run: RunDir) -> None:
    """Read the metrics of all runs."""
    view.rows(runs.all_runs(), "asymmetric")
