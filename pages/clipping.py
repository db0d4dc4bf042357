"""Clipping: the negatives that a rule removes from a batch, how many were false, and the effect on retrieval."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.clipping import batch, look, sweep
from transclipped.ui.guard import shows_input_errors

SECTIONS = {
    "tune": "Tune the rule",
    "steps": "Step by step",
    "mistakes": "Anchors and mistakes",
    "rules": "All rules",
    "sweep": "Live sweep",
}


st.title("Clipping")
st.caption(
    "A negative of the anchor's own class is a false negative: pushing it away hurts. Clipping leaves out the most "
    "similar negatives, which are likely false. Labels are only displayed; training never uses them."
)
run, view = runs.current(), None
options = {"key": "look", "default": "tune", "required": True, "label_visibility": "collapsed"}
with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
    section = links.choose(st.segmented_control, "Section", SECTIONS, **options)
    if section != "sweep":
        view = shows_input_errors(batch.choose)(runs.finished() if run is not None else None)
if section == "sweep":
    sweep.section()
elif view is not None:
    look.section(section, view)
elif run is None:
    runs.finished()
