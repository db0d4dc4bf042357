"""What the Benchmarks page and its report share: cached tables, and how columns are called and explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from transclipped.analysis import benchmarks, benchmarks_study, report
from transclipped.runs.run import RunDir
from transclipped.utils.files import ASSETS

STUDY = ASSETS / "study"
SAMPLED = "a sample"
WHOLE = 20  # rows that a table shows without scrolling
NAMES = {  # column: (heading, format, help)
    "run": ("Run", None, "A trained model with its coded database."),
    "features": (
        "Measured on",
        None,
        "Heads kept from a sweep are measured on the embeddings of the lab set, which are rounded to 8 bits, not on "
        "those of the images themselves; `train` with the run's command measures without rounding.",
    ),
    "dataset": ("Data set", None, None),
    "protocol": ("Protocol", None, "I trains on the whole database, II on 500 images a class of it."),
    "bits": ("Bits", "%d", "Length of a code: 8 bits a codebook of 256 codewords."),
    "backbone": ("Backbone", None, "The network whose embeddings are quantized."),
    "clipping": ("Clipping", None, "Which negatives were left out, and how much of it."),
    "map": ("mAP", "%.4f", "Mean average precision among the first K hits, ties in order of the database."),
    "map_tie_aware": ("mAP, tie-aware", "%.4f", "The expected value when hits of equal score come in random order."),
    "precision": ("Precision@100", "%.4f", "Share of relevant images among the first 100 hits."),
    "recall": ("Recall@K", "%.4f", "Share of all relevant images that are among the first K hits."),
    "k": ("K", "%d", "Hits that count."),
    "bytes": ("Bytes", "%d", "Stored of each image."),
    "database": ("Database", "%d", "Images searched."),
    "queries": ("Queries", "%d", "Images asked with."),
    "training_s": ("Training, s", "%.1f", "Seconds that training took on the machine of the run."),
    "measuring_s": ("Encoding and measuring, s", "%.1f", "Seconds to encode database and queries and to measure."),
    "seed": ("Seed", "%d", None),
    "sample": (
        "Sample",
        None,
        "Only a part of the data set was trained on, searched or asked with: its numbers "
        "are not comparable with others, and a smaller database makes them higher.",
    ),
    "method": ("Method", None, None),
    "network": ("Network and search", None, None),
    **{f"mAP, {bits} bits": (f"mAP, {bits} bits", "%.4f", None) for bits in (16, 32, 64)},
}
PARTS = {  # part of the study: (heading, question, x, lines, panels)
    "rules": ("Rules", "Which rule helps, at every code length?", "label", ["protocol"], ["bits"]),
    "shared": ("One temperature", "Which rule helps where nothing else changes?", "label", [], ["bits"]),
    "ideas": ("Ideas", "What decides: other embeddings, other thresholds?", "label", [], []),
    "batch": ("Batch", "How many images a step?", "batch", ["label"], []),
    "codes": ("Codes", "How long a code?", "bits", ["label"], []),
    "backbone": ("Backbone", "How much is the network's doing?", "label", ["rule"], []),
}


@st.cache_data(max_entries=64, show_spinner=False)
def line(fingerprint: str, search: str, _run: RunDir) -> tuple[list[benchmarks.Row], dict[str, str]]:
    """A run's line of the table, or what is wrong with it."""
    return benchmarks.rows([_run], search=search)


def lines(runs: dict[str, RunDir], search: str) -> tuple[list[benchmarks.Row], dict[str, str]]:
    """Lines of all measured runs, like beside like, and what is wrong with others."""
    found, problems = [], {}
    for run in runs.values():
        its, wrong = line(run.fingerprint, search, run)
        found += its
        problems |= wrong
    return benchmarks.in_order(found), problems


def table(lines: list[benchmarks.Row], runs: dict[str, RunDir]) -> dict[str, list]:
    """The table of the lines, what they may be compared by first.

    What a run was measured on, and that it is only a sample, stand in columns of their own where any line says so.
    """
    columns = benchmarks.table(lines)
    if not columns:
        return columns
    notes = [runs[line.run].record.get("features") or "" if line.run in runs else "" for line in lines]
    samples = ["" if whole else SAMPLED for whole in columns.pop("whole")]
    ahead = {name: columns.pop(name) for name in ("run", "dataset", "protocol", "k", "database")}
    said = {name: cells for name, cells in (("sample", samples), ("features", notes)) if any(cells)}
    return {**ahead, **said, **columns}


def rounded(lines: list[benchmarks.Row], runs: dict[str, RunDir]) -> str:
    """A sentence on those lines that were measured on rounded embeddings; empty if none was."""
    names = [line.run for line in lines if line.run in runs and runs[line.run].record.get("features")]
    if not names:
        return ""
    return f"Heads kept from a sweep were measured on embeddings rounded to 8 bits: {', '.join(names)}."


@st.cache_data(max_entries=64, show_spinner=False)
def metrics(fingerprint: str, _run: RunDir) -> dict[str, Any]:
    """What was measured of a run."""
    return _run.metrics() or {}


@st.cache_data(max_entries=8, show_spinner=False)
def study(version: tuple, part: str, _folder: Path) -> pd.DataFrame:
    """Results of a part of the study; `version` names its content."""
    return benchmarks_study.frame(_folder, part)


def study_version(folder: Path) -> tuple:
    """Changes whenever a result is added."""
    files = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
    return tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)


def columns(table: dict[str, list]) -> dict[str, list]:
    """The table under the headings that people read, without columns that say nothing."""
    return {NAMES.get(name, (name,))[0]: values for name, values in table.items() if any(v is not None for v in values)}


def shown(table: dict[str, list], *, key: str) -> None:
    """Draw a table; headings explain themselves."""
    config = {}
    for heading, form, explained in NAMES.values():
        kind = st.column_config.NumberColumn if form else st.column_config.Column
        config[heading] = kind(heading, help=explained, **({"format": form} if form else {}))
    frame = pd.DataFrame(columns(table))
    height = "content" if len(frame) <= WHOLE else "auto"
    st.dataframe(frame, column_config=config, hide_index=True, key=key, width="stretch", height=height)


def html_report(chosen: dict[str, list], figures: dict[str, Any], commands: dict[str, str], search: str) -> str:
    """The page as one file.

    Args:
        chosen: `table` of the runs.
        figures: by the sentence that goes above each.
        commands: that repeat each run.
    """
    blocks: list = [
        report.Text(f"{len(commands)} runs, {search} search. Everything in this table was measured by this project."),
        report.Table(columns(chosen)),
    ]
    for sentence, figure in figures.items():
        blocks += [report.Text(sentence), figure]
    blocks += [
        report.Text("Published elsewhere, not measured here", "h2"),
        report.Table(columns(benchmarks.published())),
        report.Text(f"Source: {benchmarks.REFERENCES[0].source}. {benchmarks.DIFFERENCES}", "note"),
        report.Text("To repeat a run", "h2"),
        *(report.Text(command, "pre") for command in commands.values()),
    ]
    return report.html("TransClipped: benchmarks", blocks)
