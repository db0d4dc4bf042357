"""The button that starts a training, the name it gets, and how long it will take."""

from __future__ import annotations

import time
from dataclasses import replace

import streamlit as st

from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.ui import access, cached, jobs, runs, train_form
from transclipped.ui.guard import guarded
from transclipped.ui.train_live import duration, watch

DOUBLE = 2.0  # seconds within which a second press is a double click


def name_and_button(config: RunConfig) -> str:
    """Name and Start; returns the name that a run started now would get."""
    free = jobs.free_name(train_form.stem(config))
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    typed = left.text_input("Name of the run", key="name", placeholder=free, help="Empty: the name shown in grey.")
    if right.button(
        "Start", key="start", type="primary", icon=":material/play_arrow:", width="stretch",
        **access.control(access.TRAIN),
    ):  # fmt: skip
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
    row.button("Measure again", key="measure", type="tertiary", on_click=_forget,
               **access.control(help="Speeds were measured once and remembered; do this if the machine was busy then."))



def estimated(config: RunConfig):
    """`training.estimate` of a configuration; None while a training would spoil a measurement that is due.

    Raises:
        InputError: the pictures, the split or the backbone cannot be had.
    """
    from transclipped.datasets.protocols import draw
    from transclipped.training import estimate

    config = replace(config, data=access.allowed(config.data))
    images = cached.pictures(cached.named_data(config.data))
    if jobs.busy() is not None and not estimate.measured(config, images):
        return None
    return estimate.estimate(config, images, draw(images, config.data))


def _start(config: RunConfig, typed: str) -> None:
    if time.time() - st.session_state.get("started", 0.0) < DOUBLE:
        return
    known, seconds = st.session_state.get("estimated", (None, None))
    seconds = seconds if known == config else None
    if typed and typed in runs.all_runs():
        raise InputError(f"there is a run {typed} already; choose another name")
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
