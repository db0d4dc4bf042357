"""Prepares the estimate that Train shows at first."""

from transclipped.runs.run import RunDir
from transclipped.ui.train import form, start


def warm(run: RunDir) -> None:
    """Estimate the time of the default training, whichever run is selected."""
    start.estimated(form.usual())
