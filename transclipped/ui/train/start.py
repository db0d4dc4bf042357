"""The button that starts a training, the name it gets, and how long it will take."""

from __future__ import annotations

import time

import streamlit as st

from transclipped.config import RunConfig
from transclipped.ui import access, names, runs
from transclipped.ui.guard import guarded
from transclipped.ui.quantities import duration
from transclipped.ui.text import plain
from transclipped.ui.train import check as train_check
from transclipped.ui.train import form as train_form
from transclipped.ui.train import jobs
from transclipped.ui.train.live import watch

DOUBLE = 2.0  # seconds within which a second press is a double click


def name_and_button(form: train_form.Form) -> str:
    """Name and Start, disabled as long as something is wrong; returns the name that a run started now would get."""
    config, problems = form.config, dict(form.problems)
    free = jobs.free_name(train_form.stem(config))
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input("Name of the run", key="name", placeholder=free, help="Empty: the name shown in grey.")
    if wrong := typed.strip() and names.problem(typed.strip(), taken=runs.all_runs()):
        problems["name"] = wrong
        left.error(plain(wrong))
    hidden = [sentence for setting, sentence in problems.items() if setting in train_form.HIDDEN]
    for said in hidden:
        st.error(f"More settings: {plain(said)}")
    if form.note:
        st.caption(plain(form.note))
    pressed = right.button(
        "Start", key="start", type="primary", icon=":material/play_arrow:", width="stretch",
        **access.control(access.TRAIN, disabled=bool(problems)),
    )  # fmt: skip
    if pressed and not problems:
        _start(config, typed.strip())
    return typed.strip() or free


@guarded
def estimate(config: RunConfig) -> None:
    """One line: how long, and why."""
    result = estimated(config)
    if result is None:
        st.caption("How long it takes is estimated once a training like it has run on this machine.")
        return
    st.session_state["estimated"] = (config, result.seconds)
    encode = "all images are encoded already"
    if result.images:
        encode = f"{result.images:,} images to encode: {duration(result.encoding)}"
    rest = duration(result.starting + result.measuring)
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f":material/timer: **About {duration(result.seconds)}** on this machine", width="content")
    row.caption(f"{encode}; {result.steps:,} steps: {duration(result.training)}; start and measuring: {rest}")


def estimated(config: RunConfig):
    """`training.estimate` of a configuration.

    Raises:
        InputError: the images or the split cannot be had.
    """
    from transclipped.training import estimate

    return estimate.estimate(config, *train_check.look(config.data))


def _start(config: RunConfig, typed: str) -> None:
    if time.time() - st.session_state.get("started", 0.0) < DOUBLE:
        return
    known, seconds = st.session_state.get("estimated", (None, None))
    seconds = seconds if known == config else None
    if typed:
        jobs.start(config, typed, seconds=seconds)
    name = typed or jobs.start_next(config, train_form.stem(config), seconds=seconds)
    st.session_state["started"] = time.time()
    watch(name)
    st.rerun()
