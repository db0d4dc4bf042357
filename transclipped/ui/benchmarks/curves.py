"""Curves of measured runs: the choice of runs and figure, and downloads."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import benchmarks, gains, report, tables
from transclipped.analysis.benchmarks import Row
from transclipped.ui import absent, cached, charts, links, runs
from transclipped.ui.benchmarks import charts as figures
from transclipped.ui.benchmarks import view
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

FIRST = 8  # runs that are selected at first
CLASSES = "classes"
CURVES = {
    "precision": ("precision at k", "k, number of hits", "Share of relevant images among the first k hits."),
    "recall": ("recall at k", "k, number of hits", "Share of all relevant images among the first k hits."),
    "precision_recall": ("precision over recall", "recall", "Precision at each level of recall."),
}


@st.fragment
@shows_input_errors
def draw(rows: list[Row], search: str) -> None:
    """Curves of the selected runs, of the rows of the table of measured runs."""
    st.header("Compare")
    selected, every = _choice(rows), runs.all_runs()
    metrics = {row.run: cached.metrics(every[row.run]) for row in selected if row.run in every}
    if not metrics:
        st.info("Select a run to draw.")
        return
    texts = {kind: name for kind, (name, *_) in CURVES.items()} | {CLASSES: "mAP by class"}
    kind = links.choose(st.segmented_control, "Figure", texts, key="curve", default="precision", required=True)
    if result := _figure(kind, metrics, search):
        sentence, figure = result
        st.caption(f"{sentence} {view.LABELS}")
        charts.show(figure, key="curves", name=f"benchmarks-{kind}")
    else:
        st.info("None of the selected runs has labels, so there is nothing to measure.")
    rounded = [name for name in metrics if every[name].record.get("features")]
    if rounded:
        st.caption(f"Heads saved from a sweep, measured on embeddings rounded to 8 bits: {plain(', '.join(rounded))}.")
    st.caption("Download the selected runs:")
    _downloads(selected, metrics, search)


def _choice(rows: list[Row]) -> list[Row]:
    """The selected runs: at first those comparable with the sidebar's run."""
    names, current = [row.run for row in rows], runs.current()
    reference = next((row for row in rows if current is not None and row.run == current.name), rows[0])
    default = [row.run for row in rows if _comparable(row) == _comparable(reference)][:FIRST]
    absent.settle("runs", names, default)
    selected = st.multiselect("Runs", names, default, key="runs", bind="query-params", help="Runs to compare below.")
    return [row for row in rows if row.run in selected]


def _comparable(row: Row) -> tuple:
    """Equal for runs that may be compared."""
    return row.dataset, row.protocol, row.whole, row.k, row.database


def _figure(kind: str, metrics: dict, search: str):
    """The sentence above a figure and the figure; None if there is nothing to draw."""
    if kind == CLASSES:
        names, classes, cells = benchmarks.per_class(metrics, search=search)
        sentence = "mAP of each run by the class of the query: which classes it finds easily, and which it confuses."
        return (sentence, figures.class_map(names, classes, cells, key=kind)) if names else None
    name, x, sentence = CURVES[kind]
    curves = {run: benchmarks.curve(values, kind, search=search) for run, values in metrics.items()}
    curves = {run: curve for run, curve in curves.items() if curve}
    every = runs.all_runs()
    looks = gains.looks({run: every[run].config for run in curves})
    log = kind != "precision_recall"
    sentence += " Two runs that differ in clipping only share a colour; dashed: no clipping."
    return (sentence, figures.curves(curves, x=x, y=name, key=kind, log_x=log, looks=looks)) if curves else None


def _downloads(rows: list[Row], metrics: dict, search: str) -> None:
    every = runs.all_runs()
    commands = {row.run: every[row.run].record.get("command", "") for row in rows if row.run in every}
    table = view.table(rows, every)

    def html() -> bytes:
        drawn = dict(filter(None, (_figure(kind, metrics, search) for kind in (*CURVES, CLASSES))))
        return view.html_report(table, drawn, commands, search).encode()

    about = (
        "The selected runs, all their figures, the references and the commands that reproduce each run, in one file of "
        "5 MB that works offline."
    )
    files = {  # ending: (label, content, MIME type, icon, help)
        "csv": ("CSV", lambda: report.csv(table), "text/csv", ":material/table:", None),
        "md": ("Markdown", lambda: _markdown(table), "text/markdown", ":material/notes:", None),
        "html": ("Report (HTML)", html, "text/html", ":material/article:", about),
    }
    with st.container(horizontal=True):
        for ending, (label, data, mime, icon, text) in files.items():
            look = {"icon": icon, "help": text, "on_click": "ignore"}
            key = "report" if ending == "html" else ending
            st.download_button(label, data, f"benchmarks.{ending}", mime, key=key, **look)


def _markdown(table: dict[str, list]) -> str:
    return tables.markdown(view.columns(table), number=".4g") + "\n"
