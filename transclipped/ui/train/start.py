"""The name of a new run, the button that starts it, and the estimated time."""

from __future__ import annotations

import time

import streamlit as st

from transclipped.config import RunConfig
from transclipped.ui import access, names, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import duration
from transclipped.ui.text import plain
from transclipped.ui.train import check as train_check
from transclipped.ui.train import form as train_form
from transclipped.ui.train import jobs
from transclipped.ui.train.live import watch

DOUBLE = 2.0  # seconds within which a second press is a double click


def name_and_button(form: train_form.Form) -> str:
    """Draw the name and Start, disabled while there are problems; returns the name that a run started now would get."""
    problems = dict(form.problems)
    free = jobs.free_name(train_form.stem(form.config))
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input(
        "Name of the run", key="name", placeholder=free, help="If left empty, the name in grey is used."
    ).strip()
    if problem := typed and names.problem(typed, taken=runs.all_runs()):
        problems["name"] = problem
        left.error(plain(problem))
    for setting in train_form.HIDDEN:
        if setting in problems:
            st.error(f"More settings: {plain(problems[setting])}")
    if form.note:
        st.caption(plain(form.note))
    options = {"type": "primary", "width": "stretch", **access.control(access.TRAIN, disabled=bool(problems))}
    if right.button("Start", key="start", icon=":material/play_arrow:", **options) and not problems:
        _start(form.config, typed)
    return typed or free


@shows_input_errors
def estimate(config: RunConfig) -> None:
    """Draw the estimated time and its parts."""
    result = estimated(config)
    if result is None:
        st.caption("The time is estimated once a similar training has run on this machine.")
        return
    st.session_state["estimated"] = (config, result.seconds)
    encode = "all images are encoded already"
    if result.images:
        encode = f"{result.images:,} images to encode: {duration(result.encoding)}"
    rest = duration(result.starting + result.measuring)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f":material/timer: **About {duration(result.seconds)}** on this machine", width="content")
    row.caption(f"{encode}; {result.steps:,} steps: {duration(result.training)}; start-up and evaluation: {rest}")


def estimated(config: RunConfig):
    """`training.estimate` of a configuration; raises InputError if its images or split are unavailable."""
    from transclipped.training import estimate

    return estimate.estimate(config, *train_check.load_split(config.data))


def _start(config: RunConfig, typed: str) -> None:
    if time.time() - st.session_state.get("started", 0.0) < DOUBLE:
        return
    estimated_config, seconds = st.session_state.get("estimated", (None, None))
    seconds = seconds if estimated_config == config else None
    if typed:
        jobs.start(config, typed, seconds=seconds)
    name = typed or jobs.start_next(config, train_form.stem(config), seconds=seconds)
    st.session_state["started"] = time.time()
    watch(name)
    st.rerun()
