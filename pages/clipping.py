"""Clipping: the negatives that a rule removes from a batch, how many were false, and the effect on retrieval."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import glossary, links, presenting, runs
from transclipped.ui.clipping import batch, look, sweep
from transclipped.ui.guard import shows_input_errors

SECTIONS = {
    "tune": "Tune the rule",
    "steps": "Step by step",
    "mistakes": "Anchors and mistakes",
    "rules": "All rules",
    "sweep": "Live sweep",
}
ABOUT = (
    "Every image other than the [anchor] is a [negative] and is pushed away, even one of the anchor's class: a [false "
    "negative]. [Clipping](clipping) leaves out the most similar negatives, which are likely false. Clip too many, and "
    "nothing keeps classes apart."
)

st.title("Clipping")
run, view, in_class = runs.current(), None, presenting.folded()
top, row = st.container(), st.container(horizontal=True, vertical_alignment="center", gap="medium")
body, foot = st.container(), st.container()
with foot if presenting.projector() else top:
    glossary.paragraph(ABOUT if in_class else f"{ABOUT} Training never sees labels.")
options = {"key": "look", "default": "tune", "required": True, "label_visibility": "collapsed"}
with row:
    section = links.choose(st.segmented_control, "Section", SECTIONS, **options)
if section != "sweep":
    with foot if in_class else row:
        view = shows_input_errors(batch.choose)(runs.finished() if run is not None else None)
with body:
    if section == "sweep":
        sweep.section()
    elif view is not None:
        look.section(section, view)
    elif run is None:
        runs.finished()
