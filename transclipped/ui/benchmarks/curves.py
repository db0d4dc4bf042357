"""Measured runs over each other: the choice of runs and figure, and what saves them."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks, report, tables
from transclipped.ui import absent, charts, links, runs
from transclipped.ui.benchmarks import charts as drawn
from transclipped.ui.benchmarks import view
from transclipped.ui.benchmarks.tables import LABELS
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

SHOWN = 8  # runs over each other, at first
CLASSES = "classes"
CURVES = {
    "precision": ("precision at k", "k, hits looked at", "Share of relevant images among the first k hits."),
    "recall": ("recall at k", "k, hits looked at", "Share of all relevant images among the first k hits."),
    "precision_recall": ("precision over recall", "recall", "Precision where so much of what is relevant was found."),
}


@st.fragment
@guarded
def draw(lines: list, search: str) -> None:
    """Curves of the chosen runs over each other.

    Args:
        lines: of the table of measured runs.
    """
    st.subheader("Over each other")
    chosen = _choice(lines)
    known = runs.all_runs()
    found = {
        line.run: view.metrics(known[line.run].fingerprint, known[line.run]) for line in chosen if line.run in known
    }
    if not found:
        st.info("Choose a run to draw.")
        return
    _over_each_other(found, search)
    if rounded := view.rounded(chosen, known):
        st.caption(plain(rounded))
    st.caption("Take the chosen runs along:")
    _downloads(chosen, found, search)


def _choice(lines: list) -> list:
    """The runs to draw over each other: those measured as the sidebar's run was, unless others were chosen."""
    names = [line.run for line in lines]
    current = runs.current()
    like = next((line for line in lines if current is not None and line.run == current.name), lines[0])
    same = [line.run for line in lines if _comparable(line) == _comparable(like)]
    absent.settle("runs", names, same[:SHOWN])
    wanted = st.multiselect(
        "Runs", names, same[:SHOWN], key="runs", bind="query-params", help="Drawn over each other below."
    )
    return [line for line in lines if line.run in wanted]


def _figure(kind: str, found: dict, search: str):
    """The sentence above a figure and the figure; None where nothing of it was measured."""
    if kind == CLASSES:
        names, columns, cells = benchmarks.per_class(found, search=search)
        sentence = "mAP of each run by the class of the query: which classes it finds easily, and which it confuses."
        return (sentence, drawn.class_map(names, columns, cells, key=kind)) if names else None
    name, x, sentence = CURVES[kind]
    known = {run: benchmarks.curve(metrics, kind, search=search) for run, metrics in found.items()}
    points = {run: curve for run, curve in known.items() if curve}
    log = kind != "precision_recall"
    return (sentence, drawn.curves(points, x=x, y=name, key=kind, log_x=log)) if points else None


def _over_each_other(found: dict, search: str) -> None:
    texts = {kind: about[0] for kind, about in CURVES.items()} | {CLASSES: "mAP by class"}
    kind = links.choose(st.segmented_control, "Figure", texts, key="curve", default="precision", required=True)
    made = _figure(kind, found, search)
    if made is None:
        st.info("None of the chosen runs has labels, so there is nothing to measure.")
        return
    st.caption(f"{made[0]} {LABELS}")
    charts.show(made[1], key="curves", name=f"benchmarks-{kind}")


def _downloads(lines: list, found: dict, search: str) -> None:
    known = runs.all_runs()
    commands = {line.run: known[line.run].record.get("command", "") for line in lines if line.run in known}
    columns = view.table(lines, known)

    def whole() -> bytes:
        figures = dict(filter(None, (_figure(kind, found, search) for kind in (*CURVES, CLASSES))))
        return view.html_report(columns, figures, commands, search).encode()

    with st.container(horizontal=True):
        st.download_button(
            "CSV", lambda: report.csv(columns), "benchmarks.csv", "text/csv", key="csv", on_click="ignore",
            icon=":material/table:",
        )  # fmt: skip
        st.download_button(
            "Markdown", lambda: tables.markdown(view.columns(columns), number=".4g") + "\n", "benchmarks.md",
            "text/markdown", key="md", on_click="ignore", icon=":material/notes:",
        )  # fmt: skip
        st.download_button(
            "Report (HTML)", whole, "benchmarks.html", "text/html", key="report", on_click="ignore",
            icon=":material/article:",
            help="The chosen runs, all their figures, the references and the commands that repeat each run, in one "
            "file of 5 MB that needs no network.",
        )  # fmt: skip


def _comparable(line) -> tuple:
    """What is the same for runs that may be drawn over each other."""
    return line.dataset, line.protocol, line.whole, line.k, line.database
