"""The ladder: one column of hits for each prefix of the line, with its numbers below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from transclipped.analysis.hashes import OPTIONS
from transclipped.analysis.ladder import compared, moves
from transclipped.experiments.pipelines.pipeline import Pipeline, Rung
from transclipped.retrieval.stages import STAGES
from transclipped.ui import label_note
from transclipped.ui.glossary import paragraph
from transclipped.ui.pipeline import html
from transclipped.ui.pipeline.data import Place, query_ids
from transclipped.ui.pipeline.query import Subject, crisp, thumbnail
from transclipped.ui.quantities import duration

SHOWN = 5  # hits of a column
MOVES = "▲ and ▼: ranks gained and lost to the column on its left; new: not among its first K hits."
NUMBERS = (
    "AP@K is the sum of the [precision] at each [relevant] hit within K, divided by the relevant hits within K; AP-min "
    "divides it by min(K, R), with R relevant images in the [database]. [mAP] and mAP-min are their means over all "
    "queries of the data set. Observed with labels{seen}. Time is that of this search; bytes are those "
    "of an image in the index, and of its vectors where `smooth` or `expand` needs them for queries."
)


@dataclass
class Measurement:
    """mAP and mAP-min of each prefix over all queries; None until `draw` has measured them, for all visitors."""

    means: list[tuple[float | None, float | None]] | None = None


def draw(pipeline: Pipeline, place: Place, subject: Subject) -> list[Rung]:
    """Draw the ladder of a query; returns its rungs."""
    key = (str(pipeline), place.key)
    rungs, measurement = _rungs(*key, subject.key, pipeline, subject), _measurement(*key)
    spot = st.empty()
    if measurement.means is None and pipeline.source.labels() is not None and query_ids(pipeline):
        spot.html(_html(rungs, None, pipeline, place))
        with st.spinner("Measuring all queries …"):
            measurement.means = means_of(*key, pipeline)
    spot.html(_html(rungs, measurement.means, pipeline, place))
    st.caption(f"K = {pipeline.depth():,}. {html.FRAMES} {MOVES}")
    seen = "" if pipeline.line.uses_labels else ", which no stage sees"
    paragraph(NUMBERS.format(seen=seen))
    return rungs


@st.cache_resource(max_entries=64, show_spinner=False)
def _rungs(line: str, place: str, query: str, _pipeline: Pipeline, _subject: Subject) -> list[Rung]:
    return _pipeline.ladder(_subject.query)


@st.cache_resource(max_entries=16, show_spinner=False)
def _measurement(line: str, place: str) -> Measurement:
    """The measurement of a line: once it is made, a ladder is drawn once instead of twice."""
    return Measurement()


@st.cache_resource(max_entries=16, show_spinner=False)
def means_of(line: str, place: str, _pipeline: Pipeline) -> list[tuple[float | None, float | None]]:
    """mAP and mAP-min of each prefix, over all queries."""
    rungs = _pipeline.ladder(str(query_ids(_pipeline)[0]), means=True)
    return [(rung.map, rung.map_r) for rung in rungs]


def _html(rungs: Sequence[Rung], means: list | None, pipeline: Pipeline, place: Place) -> str:
    branches = len(pipeline.line.steps[0].branches)
    earlier = compared(len(rungs), branches=branches)
    columns = [
        html.Column(
            title=f"branch {i + 1}" if i < branches else rung.stage,
            about=rung.line,
            cells=cells(rung, [rungs[j].hits.rows[0] for j in before], pipeline, place),
            numbers=numbers(rung, *(means[i] if means is not None else (None, None))),
        )
        for i, (rung, before) in enumerate(zip(rungs, earlier, strict=True))
    ]
    return html.ladder(columns, label="Hits of each prefix, best first", crisp=crisp(place))


def cells(rung: Rung, before: Sequence, pipeline: Pipeline, place: Place) -> list[html.Cell]:
    """The first hits of a ranking, with the ranks that each has gained."""
    rows = rung.hits.rows[0]
    gained, result = moves(before, rows), []
    for i, row in enumerate(rows[:SHOWN].tolist()):
        identity, labels = pipeline.source.described(row)
        relevant = None if rung.relevant is None else bool(rung.relevant[i])
        result.append(html.Cell(thumbnail(place, identity), ", ".join(labels) or str(identity), relevant, gained[i]))
    return result


def row_cells(
    rows: Sequence[int], pipeline: Pipeline, place: Place, relevant: Sequence | None = None
) -> list[html.Cell]:
    """Items of the database in a row, without a rank before; relevant or not where that is known."""
    result = []
    for i, row in enumerate(rows):
        identity, labels = pipeline.source.described(int(row))
        same = None if relevant is None else bool(relevant[i])
        result.append(html.Cell(thumbnail(place, identity), ", ".join(labels) or str(identity), same, 0))
    return result


def numbers(rung: Rung, map_: float | None = None, map_r: float | None = None) -> dict[str, str]:
    """What stands below a column."""
    shares = {"AP": rung.ap, "AP-min": rung.ap_r, "mAP": map_, "mAP-min": map_r}
    time = f"{1000 * rung.seconds:.1f} ms" if rung.seconds < 1 else duration(rung.seconds)
    written = {name: "–" if value is None else f"{value:.3f}" for name, value in shares.items()}
    return written | {"time": time, "bytes": f"{round(rung.bytes_per_item, 1):,}".removesuffix(".0")}


def stages(pipeline: Pipeline) -> None:
    """Each stage of the line: idea, formula and source."""
    steps = [step for branch in pipeline.line.steps[0].branches for step in branch.steps] + list(pipeline.line.steps)
    items = []
    for name in dict.fromkeys(step.name for step in steps):
        stage = STAGES[name]
        note = label_note.html() if stage.uses_labels else ""
        text = f"{note}{escape(stage.idea)} <code>{escape(stage.formula)}</code> <small>{escape(stage.source)}</small>"
        items.append(f"<dt>{escape(name)}</dt><dd>{text}</dd>")
    st.html(f'{html.CSS}<dl class="stages">{"".join(items)}</dl>')
    if code := next((step.name for step in steps if step.name in OPTIONS), None):
        options = {"icon": ":material/account_tree:", "query_params": {"section": "hashes", "hash": code}}
        st.page_link("pages/codebooks.py", label="This code on CIFAR-10", **options)
