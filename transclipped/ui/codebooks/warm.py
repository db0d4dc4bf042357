"""What Codebooks shows first, made ready."""

from transclipped.runs.run import RunDir
from transclipped.ui import charts
from transclipped.ui.codebooks import cached


def warm(run: RunDir) -> None:
    """Count how often codewords are used, and build a figure: a server's first one takes longer than others."""
    cached.usage(run.fingerprint, run)
    charts.curves({"": ([0], [0])}, x="", y="", key="").to_json()
