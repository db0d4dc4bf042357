"""Train: choose settings, see the estimated time, start, watch, stop and resume; compare and manage runs."""

from transclipped.ui import glossary, imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.flags import command
from transclipped.ui import acts, links, presenting, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.train import form as train_form
from transclipped.ui.train import keep, live, result, start

CURVES, COMPARE, KEEP = "curves", "compare", "keep"
PARTS = {CURVES: "Curves", COMPARE: "Compare runs", KEEP: "Manage and share"}


@shows_input_errors
def new_training():
    """Draw the form; returns where the estimate goes, and the configuration or None if it has problems."""
    form = train_form.form()
    name = start.name_and_button(form)
    estimate = st.container()
    with st.expander("Command line", icon=":material/terminal:"):
        st.code(command(form.config, f"runs/{name}"), language="bash", wrap_lines=True)
    return estimate, None if form.problems else form.config


@shows_input_errors
def show_runs(current) -> None:
    if not presenting.folded():
        st.divider()
    options = {"default": CURVES, "required": True, "label_visibility": "collapsed"}
    part = links.choose(st.segmented_control, "Show", PARTS, key="part", **options)
    acts.show(live.NOTE)
    name = live.watched() or (current and current.name)
    run = runs.all_runs().get(name, current)
    if part in (COMPARE, KEEP):
        (keep.compare if part == COMPARE else keep.keep)(run)
    elif name is None:
        st.info(keep.NO_RUN)
    else:
        live.follow(name)
        presenting.say(result.sentence(run))


st.title("Train")
glossary.caption(train_form.ABOUT)
current = runs.current()
above, below = st.container(), st.container()
curves, settings = (above, below) if presenting.folded() else (below, above)  # a class sees the curves first
with settings, presenting.controls("Train another run"):
    estimate, config = new_training() or (None, None)
with curves:
    show_runs(current)
if config is not None:  # last, since it loads torch
    with estimate:
        start.estimate(config)
