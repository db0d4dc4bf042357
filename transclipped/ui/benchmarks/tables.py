"""Tables of the Benchmarks page: runs measured here, by one kind of search, and numbers published elsewhere."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks
from transclipped.ui import runs
from transclipped.ui.benchmarks import view
from transclipped.ui.text import plain

LABELS = "Labels are for measuring only: no training saw them."


def search() -> str:
    """The choice of the search that runs are measured by."""
    return st.segmented_control(
        "Search", list(benchmarks.SEARCHES), default="asymmetric", key="search", bind="query-params", required=True,
        help="Asymmetric: the query's numbers against codes. Symmetric: code against code. Float: no codes at all.",
    ) or "asymmetric"  # fmt: skip


def measured(search: str) -> list:
    """Table of all runs; returns its lines."""
    known = runs.all_runs()
    lines, problems = view.lines(known, search)
    for name, problem in problems.items():
        st.warning(f"{plain(name)} is left out: {plain(problem)}")
    if not lines:
        st.info("No run was measured yet. Train one: the small sample is enough for a first look.")
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return []
    st.caption(
        f"Every measured run by {search} search. Compare rows of the same data set, protocol, K and database alone. "
        + LABELS
    )
    view.shown(view.table(lines, known), key="table")
    return lines


def published() -> None:
    """Numbers of others, and where they differ from ours."""
    st.subheader("Published elsewhere, not measured here")
    view.shown(benchmarks.published(), key="published")
    st.caption(f"mAP@1000 by asymmetric search. Source: {benchmarks.REFERENCES[0].source}.")
    st.caption(benchmarks.DIFFERENCES)
