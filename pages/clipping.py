"""Clipping: which negatives a rule takes out of a real batch, how many were false, and what that does to retrieval."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import sections
from transclipped.ui.clipping import sweep as lab_sweep
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

TUNE, PAIRS, STEPS, RULES, SWEEP = "tune", "mistakes", "steps", "rules", "sweep"
SECTIONS = {
    TUNE: "Tune the cut",
    PAIRS: "Anchors and mistakes",
    STEPS: "Step by step",
    RULES: "All rules",
    SWEEP: "Live sweep",
}


@guarded
def batch(run):
    return lab_batch.choose(run)


st.title("Clipping")
st.caption(
    "A negative of the anchor's own class is false: pushing it away hurts. Clipping leaves out the most similar ones, "
    "since those are likely false. Labels are for looking only: training never sees them."
)
run = runs.current()
section = links.choose(
    st.segmented_control, "Section", SECTIONS, key="look", default=TUNE, required=True, label_visibility="collapsed"
)
if section == SWEEP:
    lab_sweep.section()
else:
    view = batch(runs.finished() if run is not None else None)
    if view is not None:
        draw = {TUNE: sections.tune, PAIRS: sections.pairs, STEPS: sections.steps, RULES: sections.rules}[section]
        st.caption(f"{plain(view.what)}, plain and flipped.")
        draw(view)
    elif run is None:
        runs.finished()
