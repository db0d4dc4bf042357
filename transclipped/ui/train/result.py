"""What came of a training: the result of a finished one, and the reason of a failed one, each with where to go next."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import runs
from transclipped.ui.quantities import FEW
from transclipped.ui.text import plain
from transclipped.ui.train.words import in_app_words


def of(run: RunDir) -> str:
    """How well a finished run retrieves, and its twin without clipping, as Markdown."""
    metrics = run.metrics() or {}
    value, searched = _map(metrics), f"{metrics.get('n_database', 0):,} images"
    if value is None:
        return f"**{plain(run.name)}** is finished: {searched} can be searched; without labels there is no mAP."
    asked = metrics.get("n_queries", 0)
    rough = f", only {plain(asked)} queries: a rough value" if asked < FEW else ""
    result = f"**mAP@{plain(metrics['k'])} {value:.3f}** ({searched}, asymmetric{rough})"
    said = f"**{plain(run.name)}** is finished: {result}"
    return said + ("" if run.config.clipping.rule == "none" else f" · without clipping: {_unclipped(run)}") + "."


def failed(run: RunDir, error: str) -> str:
    """Why a training failed, in the words of the form, and what helps, as Markdown."""
    reason = in_app_words(error.rstrip(".")) or "it gave no reason; log.txt in its folder may tell"
    said = f"**{plain(run.name)}** failed: {reason}."
    return said if resumable(run) else f"{said}\n\nNothing was learned yet: change that above and press Start."


def resumable(run: RunDir) -> bool:
    """Whether a training that ended early has a state to go on from; one that failed before has none."""
    return (run.path / "last.safetensors").is_file()


def compared(run: RunDir) -> list[str]:
    """The run and what it compares with best: itself without clipping where that was trained."""
    return [each.name for each in (run, *benchmarks.alike(run, runs.all_runs().values()))][:2]


def links(run: RunDir, *, select, compare) -> None:
    """Buttons that lead on from a finished run.

    Args:
        select: called with the name; makes all pages look at the run.
        compare: called with names; lays these runs over each other.
    """
    row = st.container(horizontal=True)
    row.button(f"Open {plain(run.name)}", key="open watched", icon=":material/visibility:", on_click=select,
               args=(run.name,), disabled=st.session_state.get(runs.KEY) == run.name,
               help="All pages then show this run.")  # fmt: skip
    hits = row.button("See its hits", key="hits watched", icon=":material/image_search:", on_click=select,
                      args=(run.name,))  # fmt: skip
    row.button("Compare", key="compare watched", icon=":material/stacked_line_chart:", on_click=compare,
               args=(compared(run),), help="Its curves and those of the run most like it.")  # fmt: skip
    if hits:
        st.switch_page("pages/retrieval.py")


def _unclipped(run: RunDir) -> str:
    other = benchmarks.without_clipping(run, runs.all_runs().values())
    if other is None:
        return "not trained yet"
    try:
        value = _map(other.metrics() or {})
    except InputError:
        value = None
    return "not measured" if value is None else f"{value:.3f}"


def _map(metrics: dict) -> float | None:
    return metrics.get("modes", {}).get("asymmetric", {}).get("map")
