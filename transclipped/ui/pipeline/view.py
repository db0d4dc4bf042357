"""The sections of the Pipeline page, and a computation that has to be started."""

from __future__ import annotations

import streamlit as st

from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.retrieval.line import Line
from transclipped.ui import access, label_note, links, presenting
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.pipeline import editor, flow, ladder, light, masks, query, sayings, why
from transclipped.ui.pipeline.data import Place
from transclipped.ui.pipeline.jobs import jobs
from transclipped.ui.quantities import time_left
from transclipped.ui.text import plain
from transclipped.ui.thread_job import Job

LADDER, FLOW, LIGHT, SELECT, WALK = "ladder", "flow", "light", "select", "walk"
COLUMNS = (1, 3)  # of the query and its hits
SECTIONS = {
    LADDER: "The ladder",
    FLOW: "Flow, step by step",
    LIGHT: "Same light",
    SELECT: "Which rankers to fuse",
    WALK: "Loops of a walk",
}
OPENED_BY = {flow.STEP: FLOW, "exposure": LIGHT, "warmth": LIGHT, "beta": SELECT, "walk_length": WALK}
FEATURES = "This line needs features of the images: a minute or two at first. They are kept for the next time."

ABOUT = (
    "From a [query] to its [hits](hit) in stages, such as features, [codes](code) and [re-ranking], written as one "
    "line."
)


@shows_input_errors
def draw() -> None:
    """The page below its title."""
    section = links.section(SECTIONS, opened_by=OPENED_BY)
    if section == SELECT:
        from transclipped.ui.pipeline import select

        return select.draw()
    if section == WALK:
        from transclipped.ui.pipeline import walk

        return walk.draw()
    chosen = editor.draw()
    if chosen is None:
        return
    pipeline = _ready(*chosen)
    if pipeline is not None:
        _of_query(section, pipeline, chosen[1])


def _of_query(section: str, pipeline: Pipeline, place: Place) -> None:
    if pipeline.line.uses_labels:
        label_note.draw("A stage of this line")
    left, right = st.columns(COLUMNS, gap="medium")
    with left:
        subject = query.draw(pipeline, place)
        if subject is None:
            return
        st.html(query.picture(subject, place))
        st.caption(plain(", ".join(subject.labels)))
    with right:
        draw = {FLOW: flow.draw, LIGHT: light.draw}.get(section, ladder.draw)
        rungs = draw(pipeline, place, subject)
    if section == LADDER:
        why.draw(pipeline, place, subject, rungs)
        masks.draw(pipeline, place, subject, ready=_ready)
        with presenting.controls("What each stage does"):
            st.header("What each stage does")
            ladder.stages(pipeline)
    presenting.say(sayings.sentence(section, rungs))


def _ready(line: Line, place: Place, reason: str = FEATURES) -> Pipeline | None:
    """The fitted pipeline; None while it has to be started, runs, or has failed, which is drawn.

    Args:
        reason: it has to be started, and what for, as Markdown.
    """
    text = str(line)
    if place.at_once:
        with st.spinner("Opening the codes …"):
            return jobs().ready(text, place)
    job = jobs().find(text, place)
    if job is not None and job.running:  # first: it may end at any moment
        _follow(text, place)
        return None
    if job is not None and job.result is not None:
        return job.result
    if job is not None:
        st.error(plain(job.error), icon=":material/error:")
    st.info(reason)

    def start() -> None:
        access.require(access.TRAIN)
        jobs().start(text, place)

    st.button("Compute", icon=":material/play_arrow:", key="compute", on_click=start, **access.control(access.TRAIN))
    return None


@st.fragment(run_every="1s")
def _follow(text: str, place: Place) -> None:
    """Progress, until the computation ends."""
    job = jobs().find(text, place)
    if job is None or not job.running:
        st.rerun()
    share, state = _progress(job)
    st.progress(share, state)


def _progress(job: Job) -> tuple[float, str]:
    """Share and text of the bar: images while some are looked at, else prefixes."""
    if job.waiting:
        return 0.0, "Waiting for another computation …"
    text = f"Computing {plain(job.stage)}, {job.done + 1} of {job.total}"
    if (images := job.images) is None:
        return job.done / max(1, job.total), f"{text} …"
    left = time_left(images.seconds_left)
    return images.done / images.total, f"{text}: {images.done:,} of {images.total:,} images{left}"
