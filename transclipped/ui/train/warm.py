"""What Train shows before anything is set, made ready."""

from transclipped.runs.run import RunDir
from transclipped.ui.train import form, start


def warm(run: RunDir) -> None:
    """Estimate how long the usual training takes, whatever run is looked at."""
    start.estimated(form.usual())
