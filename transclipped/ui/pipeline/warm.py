"""Warm-up of Pipeline."""

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.runs.run import RunDir
from transclipped.ui import streamlit_internals
from transclipped.ui.pipeline import editor, ladder, light
from transclipped.ui.pipeline.data import CALTECH, place_of
from transclipped.ui.pipeline.jobs import jobs


def warm(run: RunDir) -> None:
    """Rank all queries by the default line, and begin to look at the light of its database."""
    line = Pipeline(editor.DEFAULT).line
    place = place_of(line, CALTECH)
    pipeline = jobs().ready(str(line), place)
    ladder.means_of(str(line), place.key, pipeline)
    if streamlit_internals.is_served():
        light.prepare(pipeline, place)
