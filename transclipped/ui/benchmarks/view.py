"""Tables of the Benchmarks page and its report: measured runs, published numbers, headings and their help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from transclipped.analysis import benchmarks, benchmarks_study, report
from transclipped.runs.run import RunDir
from transclipped.ui import presenting, runs
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

STUDY = ASSETS / "study"
SAMPLED = "a sample"
EMPTY = "–"  # in a cell without a value
WHOLE = 20  # rows that a table shows without scrolling
LABELS = "Labels are for evaluation only: no training saw them."
SEARCH = "Asymmetric: the query is not coded, the database is. Symmetric: both are coded. Float: neither is."
ROUNDED = (
    "Heads saved from a sweep are measured on the embeddings of the lab set, which are rounded to 8 bits; `train` with "
    "the run's command measures without rounding."
)
SAMPLE = (
    "Only a part of the data set was used for training, as the database or as queries: the numbers are not comparable "
    "with others, and a smaller database makes them higher."
)
NAMES = {  # column: (heading, format, help)
    "run": ("Run", None, "A trained model with its coded database."),
    "features": ("Measured on", None, ROUNDED),
    "dataset": ("Data set", None, None),
    "protocol": ("Protocol", None, "I trains on the whole database, II on 500 images per class of it."),
    "bits": ("Bits", "%d", "Length of a code: 8 bits per codebook of 256 codewords."),
    "backbone": ("Backbone", None, "The network whose embeddings are quantized."),
    "clipping": ("Clipping", None, "Which negatives were left out, and how many."),
    "map": ("mAP", "%.4f", "Mean average precision among the first K hits, ties in order of the database."),
    "map_tie_aware": ("mAP, tie-aware", "%.4f", "The expected value when hits of equal score come in random order."),
    "map_by_class": (
        "mAP, class mean",
        "%.4f",
        "Mean over classes of their queries' mAP; rare ones count as much.",
    ),
    "precision": ("Precision@100", "%.4f", "Share of relevant images among the first 100 hits."),
    "recall": ("Recall@K", "%.4f", "Share of all relevant images that are among the first K hits."),
    "k": ("K", "%d", "Number of hits that count."),
    "bytes": ("Bytes", "%d", "Stored per image."),
    "database": ("Database", "%d", "Number of images searched."),
    "queries": ("Queries", "%d", "Number of query images."),
    "training_s": ("Training, s", "%.1f", "Training time in seconds on the machine of the run."),
    "measuring_s": ("Encoding and measuring, s", "%.1f", "Seconds to encode database and queries and to measure."),
    "seed": ("Seed", "%d", None),
    "sample": ("Sample", None, SAMPLE),
    "method": ("Method", None, None),
    "network": ("Network and search", None, None),
    **{f"mAP, {bits} bits": (f"mAP, {bits} bits", "%.4f", None) for bits in (16, 32, 64)},
}
WIDTHS = {"run": 182, "dataset": 76, "protocol": 64, "k": 48, "database": 70, "bits": 44, "map": 60}  # px
WIDTHS |= {"clipping": 116, "backbone": 152}  # all of them fit beside the sidebar of a window of 1280 px
HIDDEN = ("map_tie_aware", "bytes", "queries", "training_s", "measuring_s", "seed")  # until chosen in the table's menu
ABOUT_OBJECTIVES = (
    "What should the head learn from? Two epochs each; triplets (HN) add a CNN as second encoder. Only objectives with "
    "negatives can be clipped."
)
PARTS = {  # part of the study: (heading, question, x, lines, panels)
    "rules": ("Rules", "Which rule helps, at every code length?", "label", ["protocol"], ["bits"]),
    "shared": ("One temperature", "Which rule helps if nothing else changes?", "label", [], ["bits"]),
    "ideas": ("Ideas", "Do other embeddings or thresholds help?", "label", [], []),
    "batch": ("Batch", "Which batch size?", "batch", ["label"], []),
    "codes": ("Codes", "Which code length?", "bits", ["label"], []),
    "backbone": ("Backbone", "How much comes from the backbone?", "label", ["rule"], []),
    "objectives": ("Objective", ABOUT_OBJECTIVES, "label", [], []),
}


def search() -> str:
    """The choice of the search that runs are measured by."""
    options = {"key": "search", "bind": "query-params", "required": True, "help": SEARCH}
    return st.segmented_control("Search", list(benchmarks.SEARCHES), default="asymmetric", **options) or "asymmetric"


def measured(search: str) -> list[benchmarks.Row]:
    """Draw the table of all measured runs; returns its rows."""
    every = runs.all_runs()
    table_rows, problems = rows(every, search)
    for name, problem in problems.items():
        st.warning(f"{plain(name)} is left out: {plain(problem)}")
    if not table_rows:
        st.info("No run is measured yet. Train one: the small sample is enough for a first look.")
        st.page_link("pages/train.py", label="Train a run", icon=":material/model_training:")
        return []
    st.header("All measured runs")
    st.caption(f"By {search} search. Compare only rows of the same data set, protocol, K and database. " + LABELS)
    st.caption("Tie-aware mAP, times and seed: in the table's menu of columns.")
    draw(table(table_rows, every), key="table")
    return table_rows


def published() -> None:
    """Draw published numbers, and how they differ from ours."""
    st.header("Published elsewhere, not measured here")
    draw(benchmarks.published(), key="published")
    st.caption(f"mAP@1000 by asymmetric search. Source: {benchmarks.REFERENCES[0].source}.")
    st.caption(benchmarks.DIFFERENCES)


@st.cache_data(max_entries=64, show_spinner=False)
def _row(fingerprint: str, search: str, _run: RunDir) -> tuple[list[benchmarks.Row], dict[str, str]]:
    """A run's row of the table, or its problem."""
    return benchmarks.rows([_run], search=search)


def rows(runs: dict[str, RunDir], search: str) -> tuple[list[benchmarks.Row], dict[str, str]]:
    """Rows of all measured runs, comparable ones adjacent, and the problems of unreadable runs."""
    result, problems = [], {}
    for run in runs.values():
        row, problem = _row(run.fingerprint, search, run)
        result += row
        problems |= problem
    return benchmarks.in_order(result), problems


def table(rows: list[benchmarks.Row], runs: dict[str, RunDir]) -> dict[str, list]:
    """The table of the rows: what decides which are comparable, then mAP, rule and backbone, then the rest.

    Columns for samples and for rounded embeddings are added if they apply to any row.
    """
    columns = benchmarks.table(rows)
    if not columns:
        return columns
    features = [runs[row.run].record.get("features") or "" if row.run in runs else "" for row in rows]
    samples = ["" if whole else SAMPLED for whole in columns.pop("whole")]
    first = {name: columns.pop(name) for name in ("run", "dataset", "protocol", "k", "database")}
    notes = {name: cells for name, cells in (("sample", samples), ("features", features)) if any(cells)}
    then = {name: columns.pop(name) for name in ("bits", "map", "clipping", "backbone")}
    return {**first, **notes, **then, **columns}


def study(part: str) -> pd.DataFrame:
    """Results of a part of the study, cached until a result is added."""
    files = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in sorted(STUDY.glob("*.jsonl"))]
    return _study(tuple(files), part, STUDY)


@st.cache_data(max_entries=8, show_spinner=False)
def _study(files: tuple, part: str, _folder: Path) -> pd.DataFrame:
    return benchmarks_study.frame(_folder, part)


def columns(table: dict[str, list]) -> dict[str, list]:
    """The table under its displayed headings, without empty columns."""
    return {NAMES.get(name, (name,))[0]: values for name, values in table.items() if any(v is not None for v in values)}


def draw(table: dict[str, list], *, key: str) -> None:
    """Draw a table whose headings have a help text."""
    config = {}
    for name, (heading, form, text) in NAMES.items():
        kind = st.column_config.NumberColumn if form else st.column_config.Column
        width = round(WIDTHS[name] * presenting.scale()) if name in WIDTHS else None
        options = {"help": text, "width": width} | ({"format": form} if form else {})
        config[heading] = None if name in HIDDEN else kind(heading, **options)
    frame = pd.DataFrame(columns(table))
    height = "content" if len(frame) <= WHOLE else "auto"
    st.dataframe(frame, column_config=config, hide_index=True, key=key, height=height, placeholder=EMPTY)


def html_report(table: dict[str, list], figures: dict[str, Any], commands: dict[str, str], search: str) -> str:
    """The page as one file.

    Args:
        figures: by the sentence above each.
        commands: that reproduce each run.
    """
    blocks: list = [
        report.Text(f"{len(commands)} runs, {search} search. All numbers in this table were measured by this project."),
        report.Table(columns(table)),
    ]
    for sentence, figure in figures.items():
        blocks += [report.Text(sentence), figure]
    blocks += [
        report.Text("Published elsewhere, not measured here", "h2"),
        report.Table(columns(benchmarks.published())),
        report.Text(f"Source: {benchmarks.REFERENCES[0].source}. {benchmarks.DIFFERENCES}", "note"),
        report.Text("Commands that reproduce the runs", "h2"),
        *(report.Text(command, "pre") for command in commands.values()),
    ]
    return report.html("TransClipped: benchmarks", blocks)
