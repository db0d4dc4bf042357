"""Warm-up of Pipeline."""

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.runs.run import RunDir
from transclipped.ui.pipeline import editor, ladder
from transclipped.ui.pipeline.data import CALTECH, place_of
from transclipped.ui.pipeline.jobs import jobs


def warm(run: RunDir) -> None:
    """Rank all queries by the default line."""
    line = Pipeline(editor.DEFAULT).line
    place = place_of(line, CALTECH)
    ladder.means_of(str(line), place.key, jobs().ready(str(line), place))
