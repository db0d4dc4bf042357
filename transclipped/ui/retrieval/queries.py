"""The stored queries that a run answers worst and best, by class and by whether their first hit is wrong."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.retrieval.relevance import has_any
from transclipped.search.searcher import label_names
from transclipped.ui import absent, cached, charts, links
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import cached as retrieval_cached
from transclipped.ui.retrieval import charts as figures
from transclipped.ui.retrieval.address import ANY, classes
from transclipped.ui.retrieval.query import Query, SearchTarget
from transclipped.ui.retrieval.sections import LABELS, SMALL, clickable

EXTREMES = 12  # hardest and easiest queries
CLASS, FIRST = "of_class", "first_hit"  # keys of widgets, and names in the address
ALL, RIGHT, WRONG = "all", "right", "wrong"
FIRSTS = {ALL: "any", RIGHT: "✓ right", WRONG: "✗ wrong"}


@st.fragment
@shows_input_errors
def extremes(target: SearchTarget, query: Query) -> None:
    """The stored queries of lowest and highest average precision, and the rank of this one."""
    values = retrieval_cached.average_precision(target.run.fingerprint, target.run)
    if values is None:
        st.info("Per-query quality needs labels, which this run does not have.")
        return
    chosen = _chosen(target)
    share = "" if len(chosen) == len(values) else f"{len(chosen):,} of "
    st.caption(
        f"Average precision of {share}{len(values):,} stored queries in the run's own database; 1 is perfect.",
        help=LABELS,
    )
    mine = float(values[query.number]) if query.number is not None else None
    figure = figures.histogram(values[chosen], mine, key="spread")
    charts.show(figure, key="spread", name=f"{target.run.name}-queries")
    order = chosen[np.argsort(values[chosen], kind="stable")]
    for column, name, numbers in zip(
        st.columns(2, gap="large"), ("hardest", "easiest"), (order, order[::-1]), strict=True
    ):
        with column:
            st.caption(f"The {name} queries, with their average precision. Click one to search with it.")
            numbers = numbers[:EXTREMES].tolist()
            images = [query_tile(target, number, values) for number in numbers]
            clickable(target, images, key=name, size=SMALL)


def _chosen(target: SearchTarget) -> np.ndarray:
    """Draw the filters; returns the numbers of the queries that pass, ascending."""
    stored, names = target.run_searcher.stored, target.run_searcher.class_names
    options = [ANY, *classes(target)]
    absent.settle(CLASS, options, ANY)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Queries of", options, key=CLASS, bind="query-params", width=200)
        about = {"required": True, "help": "Whether the best hit shares a class with the query."}
        first = links.choose(st.segmented_control, "First hit", FIRSTS, key=FIRST, default=ALL, **about)
    passing = np.ones(len(stored.queries), bool)
    if name in names:
        passing &= has_any(stored.query_labels, [names.index(name)])
    if first != ALL:
        passing &= retrieval_cached.first_hit_right(target.run.fingerprint, target.run) == (first == RIGHT)
    return np.flatnonzero(passing)


def query_tile(target: SearchTarget, number: int, values: np.ndarray) -> gallery.Tile:
    """A stored query with its classes and average precision."""
    stored = target.run_searcher.stored
    name = str(stored.query_ids[number])
    labels = ", ".join(label_names(stored.query_labels, number, target.run_searcher.class_names))
    row = target.row(name)
    image = None if row is None else gallery.of_row(cached.run_data(target.run), row)
    return gallery.Tile(name, image, f"{labels} {values[number]:.3f}", title=f"query {number}")
