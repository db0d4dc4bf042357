"""Fills the caches that the first view of Codebooks needs."""

from transclipped.runs.run import RunDir
from transclipped.ui import charts
from transclipped.ui.codebooks import cached


def warm(run: RunDir) -> None:
    """Count the use of codewords, and build a figure, since a server's first one is slow."""
    cached.usage(run.fingerprint, run)
    charts.curves({"": ([0], [0])}, x="", y="", key="").to_json()
