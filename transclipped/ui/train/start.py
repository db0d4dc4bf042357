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
    with st.spinner("Measuring how fast this machine is, once …"):
        found = estimated(config)
    if found is None:
        st.caption("How long it takes is measured when the current training is over: now both would be slow.")
        return
    st.session_state["estimated"] = (config, found.seconds)
    encode = "all pictures are encoded already"
    if found.work.pictures:
        encode = f"{found.work.pictures:,} pictures to encode at {found.images_per_s:,.0f} a second: "
        encode += duration(found.encoding)
    parts = [encode, f"{found.work.steps:,} steps: {duration(found.training)}", f"start and measuring: "
             f"{duration(found.starting + found.measuring)}"]  # fmt: skip
    row = st.container(horizontal=True, vertical_alignment="center")
    row.markdown(f":material/timer: **About {duration(found.seconds)}** on this machine", width="content")
    row.caption("; ".join(parts))
    row.button(
        "Measure again",
        key="measure",
        type="tertiary",
        on_click=_forget,
        **access.control(help="Speeds were measured once and remembered; do this if the machine was busy then."),
    )


def estimated(config: RunConfig):
    """`training.estimate` of a configuration; None while a training would spoil a measurement that is due.

    Raises:
        InputError: the pictures, the split or the backbone cannot be had.
    """
    from transclipped.training import estimate

    images, split = train_check.look(config.data)
    if jobs.busy() is not None and not estimate.measured(config, images):
        return None
    return estimate.estimate(config, images, split)


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


def _forget() -> None:
    from transclipped.training import estimate

    if access.may():
        estimate.forget()
