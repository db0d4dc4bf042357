"""The result of a finished training, the reason of a failed one, and where to go next."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import baselines, benchmarks
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import headline, runs
from transclipped.ui.quantities import FEW, duration
from transclipped.ui.text import plain
from transclipped.ui.train.words import in_app_words


def of(run: RunDir) -> str:
    """Retrieval quality of a finished run and of the same run without clipping, as Markdown."""
    metrics = run.metrics() or {}
    value, database = _map(metrics), f"{metrics.get('n_database', 0):,} images"
    if value is None:
        return f"**{plain(run.name)}** is finished: {database} can be searched; mAP needs labels."
    queries = metrics.get("n_queries", 0)
    rough = f", only {plain(queries)} queries: a rough value" if queries < FEW else ""
    unclipped = f" · without clipping: {_unclipped(run)}" if benchmarks.clips(run.config) else ""
    result = f"**mAP@{plain(metrics['k'])} {value:.3f}** ({database}, asymmetric{rough})"
    setting = baselines.of_run(run, metrics, value)
    bridge = baselines.sentence("mAP", [baselines.of_headline(headline.pair(), "on Overview", both=True), setting])
    return f"**{plain(run.name)}** is finished: {result}{unclipped}. {plain(bridge)}".strip()


def sentence(run: RunDir | None) -> str:
    """What to say about a run in front of a class, as Markdown."""
    metrics = None if run is None else run.metrics()
    if metrics is None:
        return "Each step pulls two views of an image together and pushes other images away, unless they are clipped."
    value = _map(metrics)
    if value is None:
        return "Training needs no labels; only measuring its result does."
    seconds = metrics.get("seconds", {}).get("training")
    after = "" if seconds is None else f" after {duration(seconds)} of training"
    other = benchmarks.without_clipping(run, runs.all_runs().values())
    rival = None if other is None else _map(other.metrics() or {})
    against = "" if rival is None else f"; the same without clipping reaches {rival:.3f}"
    return f"No label was used in training: mAP {value:.3f}{after}{against}."


def failed(run: RunDir, error: str) -> str:
    """Why a training failed, in the words of the form, and what to do, as Markdown."""
    reason = in_app_words(error.rstrip(".")) or "it gave no reason; see log.txt in its folder"
    text = f"**{plain(run.name)}** failed: {reason}."
    return text if resumable(run) else f"{text}\n\nThere is nothing to resume: correct the settings and press Start."


def resumable(run: RunDir) -> bool:
    """Whether a training that ended early has saved a state."""
    return (run.path / "last.safetensors").is_file()


def compared(run: RunDir) -> list[str]:
    """The run and the best one to compare it with: the same without clipping, if it exists."""
    return [each.name for each in (run, *benchmarks.alike(run, runs.all_runs().values()))][:2]


def links(run: RunDir, *, select, compare) -> None:
    """Buttons below a finished run.

    Args:
        select: called with the name; selects the run on all pages.
        compare: called with names; compares their curves.
    """
    row = st.container(horizontal=True)
    visit = {"on_click": select, "args": (run.name,)}
    selected = {"disabled": st.session_state.get(runs.KEY) == run.name, "help": "All pages then show this run."}
    row.button(f"Open {plain(run.name)}", key="open watched", icon=":material/visibility:", **visit, **selected)
    hits = row.button("Search", key="hits watched", icon=":material/image_search:", **visit)
    against = {"on_click": compare, "args": (compared(run),), "help": "Its curves and those of the most similar run."}
    row.button("Compare", key="compare watched", icon=":material/stacked_line_chart:", **against)
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
