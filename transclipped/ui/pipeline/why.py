"""Why a hit is one, for each code of bits or trees in the line: what it shares with the query."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from transclipped.analysis.reasons import SIGNS, TREES, why
from transclipped.experiments.pipelines.pipeline import Pipeline, Rung
from transclipped.retrieval.chain import Chain, chains
from transclipped.ui import absent, reasons
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.pipeline import html, ladder
from transclipped.ui.pipeline.data import Place
from transclipped.ui.pipeline.query import Subject, crisp
from transclipped.ui.text import plain

HIT = "pipe_hit"  # key of the choice, and name in the address


def draw(pipeline: Pipeline, place: Place, subject: Subject, rungs: Sequence[Rung]) -> None:
    """The section below the ladder; nothing if the line has no such code, or the query no hit."""
    coded = [chain for chain in chains(pipeline.fitted) if chain.steps[chain.coding].name in (TREES, *SIGNS)]
    if coded and len(rungs[-1].hits.rows[0]):
        _explain(coded, pipeline, place, subject, rungs[-1])


@st.fragment
@shows_input_errors
def _explain(coded: list[Chain], pipeline: Pipeline, place: Place, subject: Subject, last: Rung) -> None:
    st.header("Why this hit")
    row = _choice(last.hits.rows[0][: ladder.SHOWN].tolist(), pipeline, place, last)
    for number, chain in enumerate(coded):
        step = chain.steps[chain.coding]
        st.caption(f"{plain(step)}, before any re-ranking:")
        vector = _vector(str(pipeline), place.key, subject.key, number, chain, subject)
        facts = why(step.name, chain.index, vector, row, dict(step.options))
        key = "why_tree" if number == 0 else f"why_tree_{number + 1}"
        reasons.draw(facts, key=key, examples=_examples(chain, pipeline, place) if step.name == TREES else None)


def _choice(rows: list[int], pipeline: Pipeline, place: Place, last: Rung) -> int:
    """Row of the database of the chosen hit, whose image is drawn."""
    hits = range(1, len(rows) + 1)
    absent.settle(HIT, hits, 1)
    options = {"key": HIT, "default": 1, "required": True, "bind": "query-params"}
    hit = st.segmented_control("Hit of the last column", hits, **options) or 1
    relevant = None if last.relevant is None else last.relevant[hit - 1 : hit]
    cells = ladder.row_cells(rows[hit - 1 : hit], pipeline, place, relevant)
    st.html(html.row(cells, label=f"Hit {hit}", crisp=crisp(place)))
    return rows[hit - 1]


@st.cache_resource(max_entries=32, show_spinner=False)
def _vector(line: str, place: str, query: str, number: int, _chain: Chain, _subject: Subject) -> np.ndarray:
    """The query `[D]` as it reaches the code."""
    features = _chain.source.of(_chain.features, _subject.query)
    return _chain.encoded(features if isinstance(features, np.ndarray) else list(features))[0]


def _examples(chain: Chain, pipeline: Pipeline, place: Place) -> reasons.Examples:
    items = chain.vectors(chain.coding - 1, "database")
    return reasons.Examples(
        chain.state(chain.coding), items, lambda rows: ladder.row_cells(rows, pipeline, place), crisp(place)
    )
