"""The field on Benchmarks: published systems, where each is in this app, and what it gained here."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from transclipped.analysis import field, report, tables
from transclipped.analysis.headline import STUDY, K, headline
from transclipped.ui import charts, glossary
from transclipped.ui.benchmarks import uair
from transclipped.ui.guard import shows_input_errors

HERE = "In this app"
DASH = "–: not measured here."


@shows_input_errors
def draw() -> None:
    """The table of all systems, and the table as files."""
    files = [*sorted(field.FOLDER.glob("*.jsonl")), *sorted(STUDY.glob("*.jsonl"))]
    stamps = [(str(path), path.stat().st_mtime_ns) for path in files]
    columns = _columns(tuple(stamps))
    st.header("The field")
    glossary.paragraph(
        f"{len(field.SYSTEMS)} published systems as stages, objectives or data of this app. A gain is the difference "
        "in mAP-min of two measured lines that differ in the named part; for [heads](head) on CIFAR-10, and for "
        f"{field.OWN.name}, it is that in mAP@{K:,}. Two rows differ in more: the pair of {field.OWN.name} also in τ, "
        "as each rule has its own best one, and a choice of rankers in the whole line. Observed with labels."
    )
    st.caption(
        f"A reconstruction was built from the abstract alone, so its numbers are not those of its authors. {DASH}"
    )
    st.table(_linked(columns))
    _downloads(columns)
    uair.draw()


@st.cache_data(max_entries=4, show_spinner=False)
def _columns(stamps: tuple) -> dict[str, list[str]]:
    return field.columns(field.gains(field.measured(), own=headline()))


def _linked(columns: dict[str, list[str]]) -> pd.DataFrame:
    """The table with links to the app, names as its index."""
    links = [" · ".join(f"[{text}]({address})" for text, address in system.links) for system in field.SYSTEMS]
    links = [text or "library only" for text in links]
    names = columns["System"]
    return pd.DataFrame({HERE: links, **{name: columns[name] for name in columns if name != "System"}}, index=names)


def _downloads(columns: dict[str, list[str]]) -> None:
    files = {
        "csv": ("CSV", lambda: report.csv(columns), "text/csv", ":material/table:"),
        "md": ("Markdown", lambda: tables.markdown(columns) + "\n", "text/markdown", ":material/notes:"),
        "tex": ("LaTeX", lambda: tables.latex(columns) + "\n", "text/x-tex", ":material/functions:"),
    }
    with charts.saving("field"):
        for ending, (label, data, mime, icon) in files.items():
            options = {"key": f"field {ending}", "icon": icon, "on_click": "ignore"}
            st.download_button(label, data, f"field.{ending}", mime, **options)
