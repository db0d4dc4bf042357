"""Clipping: which negatives a rule takes out of a real batch, how many were false, and what that does to retrieval."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui import links, runs
from transclipped.ui.clipping import batch as lab_batch
from transclipped.ui.clipping import look as lab_look
from transclipped.ui.clipping import sweep as lab_sweep
from transclipped.ui.clipping import tune as lab_tune
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


@st.fragment
@guarded
def tune(view) -> None:
    lab_tune.controls(view)
    done = lab_tune.dial(view)
    lab_tune.effects(view, done)
    lab_tune.to_train(view)
    lab_tune.suggestions(view)


@st.fragment
@guarded
def pairs(view) -> None:
    lab_tune.controls(view)
    done = lab_tune.dial(view)
    lab_look.anchors(view, done)
    lab_look.confusion(view, done)


@st.fragment
@guarded
def steps(view) -> None:
    lab_tune.controls(view)
    lab_look.one_anchor(view)


@st.fragment
@guarded
def rules(view) -> None:
    lab_tune.temperature_control(view)
    lab_look.side_by_side(view)


@guarded
def sweep() -> None:
    if lab_batch.lab() is None:
        raise InputError("The lab set is missing; `python -m transclipped lab build` makes it.")
    lab_sweep.section()


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
    sweep()
else:
    view = batch(runs.finished() if run is not None else None)
    if view is not None:
        draw = {TUNE: tune, PAIRS: pairs, STEPS: steps, RULES: rules}[section]
        st.caption(f"{plain(view.what)}, plain and flipped.")
        draw(view)
    elif run is None:
        runs.finished()
