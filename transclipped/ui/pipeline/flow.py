"""The four steps of `flow` on the hits of one query, and the connected parts of the database."""

from __future__ import annotations

from itertools import islice

import streamlit as st

from transclipped.experiments.pipelines.pipeline import Pipeline, Rung
from transclipped.experiments.pipelines.stepwise import BEFORE, STEPS, FlowSteps
from transclipped.retrieval.stages import STAGES
from transclipped.ui import links
from transclipped.ui.glossary import paragraph
from transclipped.ui.pipeline import html, ladder
from transclipped.ui.pipeline.data import Place
from transclipped.ui.pipeline.query import Subject, crisp
from transclipped.ui.text import plain

STEP = "flow_step"
TITLES = {
    BEFORE: "Before",
    "normalised": "1 · Ranks",
    "hyperedges": "2 · Edges",
    "product": "3 · Product",
    "components": "4 · Parts",
}
MEANINGS = {
    BEFORE: "The hits as the code ranks them.",
    "normalised": "A hit counts if the query is also near the top of the hit's own list.",
    "hyperedges": "Each list becomes a hyperedge of its items and their neighbours; similar hyperedges attract.",
    "product": "Items that stand together in strong hyperedges move together, and new ones enter the list.",
    "components": "The strongest pairs connect into groups that nobody asked for; members of a group move closer.",
}
PARTS, MEMBERS = 4, 10  # connected parts that are shown, and images of each


def draw(pipeline: Pipeline, place: Place, subject: Subject) -> list[Rung]:
    """Draw the hits before and after each step up to the chosen one; returns them."""
    flow = _flow(str(pipeline), place.key, pipeline)
    paragraph(
        "Rank flow embedding looks at ranked lists only, never at a label or at the images. It re-ranks the hits of "
        f"the code, before any other re-ranking, with k = {flow.options['k']}."
    )
    step = links.choose(
        st.segmented_control, "Show up to step", TITLES, key=STEP, default=list(TITLES)[-1], required=True
    )
    with st.spinner("Embedding the lists of the database …"):
        rungs = _rungs(str(pipeline), place.key, subject.key, flow, subject)
    shown = rungs[: list(TITLES).index(step) + 1]
    st.caption(f"**{TITLES[shown[-1].stage]}.** {MEANINGS[shown[-1].stage]}")
    columns = [
        html.Column(
            title=TITLES[rung.stage],
            about=MEANINGS[rung.stage],
            cells=ladder.cells(rung, [shown[i - 1].hits.rows[0]] if i else [], pipeline, place),
            numbers={name: value for name, value in ladder.numbers(rung).items() if name in ("AP", "AP-min")},
        )
        for i, rung in enumerate(shown)
    ]
    st.html(html.ladder(columns, label="Hits after each step", crisp=crisp(place)))
    st.caption(f"{html.FRAMES} {ladder.MOVES} Observed with labels. {plain(STAGES['flow'].source)}")
    if shown[-1].stage == STEPS[-1]:
        _parts(flow, pipeline, place)
    return shown


@st.cache_resource(max_entries=4, show_spinner=False)
def _flow(line: str, place: str, _pipeline: Pipeline) -> FlowSteps:
    return FlowSteps(_pipeline)


@st.cache_resource(max_entries=64, show_spinner=False)
def _rungs(line: str, place: str, query: str, _flow: FlowSteps, _subject: Subject) -> list[Rung]:
    return _flow.rungs(_subject.query)


def _parts(flow: FlowSteps, pipeline: Pipeline, place: Place) -> None:
    """The largest connected parts as rows of images."""
    parts = list(islice(flow.parts(), PARTS))
    if not parts:
        return
    st.header("Connected parts")
    st.caption("Groups of the database that no label made, the largest first; their strongest images.")
    for number, rows in enumerate(parts, start=1):
        cells = ladder.row_cells(rows[:MEMBERS], pipeline, place)
        st.caption(f"Part {number}: {len(rows):,} images")
        st.html(html.row(cells, label=f"Part {number}", crisp=crisp(place)))
