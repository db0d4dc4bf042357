"""What Benchmarks shows first, made ready."""

from transclipped.runs.run import RunDir
from transclipped.ui import runs
from transclipped.ui.benchmarks import view


def warm(run: RunDir) -> None:
    """Read what was measured of all runs."""
    view.lines(runs.all_runs(), "asymmetric")
