"""Pipelines on Benchmarks: measured lines by data set, each below the line that it continues, and what re-ranking
gains on all data sets."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from transclipped.analysis import report, tables
from transclipped.experiments.pipelines import tables as pipelines
from transclipped.ui import charts, label_note, links, presenting
from transclipped.ui.benchmarks.view import EMPTY
from transclipped.ui.glossary import paragraph
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain
from transclipped.utils.files import ASSETS

FOLDER = ASSETS / "pipeline"
KEY = "pipelines"  # in the address: the data set
NAMES = {"caltech101": "Caltech-101", "cifar10": "CIFAR-10", "collage": "Collage"}
WIDE, INDENT = 300, "\u2003"  # px, of a stage; the space by which it is indented
FIRST = 190  # px, of a re-ranking, so that gains on all data sets fit beside it
HIDDEN = ("pipeline", "n", "fit")  # until chosen in the table's menu; the rest fits into a window of 1280 px
FORMATS = {"map": "%.4f", "map_r": "%.4f", "precision@10": "%.3f", "recall@K": "%.3f", "gain": "%+.4f"}
FORMATS |= {"spread": "%.4f", "ms": "%.2f", "bytes": "%.0f", "fit": "%.1f"}
HEADINGS = {
    "pipeline": ("Pipeline", "A line, or the first stages of one."),
    "stage": ("Stage", "What a row with ↳ adds to the line that it stands below; otherwise the line."),
    "map": ("mAP", "Mean over queries of the sum of precisions at relevant ranks within K / relevant hits within K."),
    "map_r": ("mAP-min", "Mean over queries of the same sum / min(K, R), R relevant images in the database."),
    "gain": ("Gain", "mAP-min less that of the line that the row stands below."),
    "spread": ("±", "Half the range of mAP-min over seeds or splits."),
    "n": ("Times", "Measurements that the means are over: seeds or splits."),
    "precision@10": ("P@10", "Share of relevant images among the first 10 hits."),
    "recall@K": ("Recall@K", "Relevant hits within K / R."),
    "ms": ("ms", "Milliseconds a query, ranking and re-ranking, features not included."),
    "bytes": ("Bytes", "Of an image in the index."),
    "fit": ("Fit, s", "Seconds to learn, to code and to list the database, features not included."),
}


@shows_input_errors
def draw() -> None:
    """Tables of the data set that is chosen."""
    groups = _groups(tuple((str(path), path.stat().st_mtime_ns) for path in sorted(FOLDER.glob("*.jsonl"))))
    if not groups:
        st.info("No pipeline is measured yet. `python -m transclipped pipeline compare FILE --out FILE` measures some.")
        return
    texts = {name: _name(name) for name in groups}
    chosen = links.choose(st.segmented_control, "Data set", texts, key=KEY, default=next(iter(texts)), required=True)
    part, rows = groups[chosen]
    st.header("Each stage")
    using = pipelines.label_stages(rows)
    queries, images, k = (int(part[name].iloc[0]) for name in ("n_queries", "n_database", "k"))
    st.caption(
        f"{queries:,} queries, {images:,} images, K = {k:,}. "
        "A row with ↳ adds a stage to the line that it stands below, and its gain is over that line. "
        f"Observed with labels{'' if using else ', which no stage sees'}."
    )
    if using:
        label_note.draw(f"A stage of these lines ({plain(', '.join(using))})")
    _table(rows, key="pipelines table")
    gains = pipelines.reranking(_by_data({name: rows for name, (_, rows) in groups.items()}))
    if not gains.empty:
        st.header("Re-ranking on codes and on floats")
        paragraph(
            "What each re-ranking adds to mAP-min, on [codes](code) of a few bytes and on floats. Gains on codes of "
            "trained runs are measured on each run's own queries."
        )
        st.dataframe(
            gains, hide_index=True, key="pipelines gains", column_config=_gain_columns(gains), placeholder=EMPTY
        )
    _downloads(rows, chosen)


@st.cache_data(max_entries=4, show_spinner=False)
def _groups(files: tuple) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Measurements and rows by data set and protocol."""
    parts = pipelines.groups(pipelines.frame([Path(path) for path, _ in files]))
    named = ((f"{data}, {protocol}" if protocol else data, part) for (data, protocol), part in parts)
    return {name: (part, pipelines.rows(part)) for name, part in named}


def _by_data(groups: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Rows by data set, as a run's lines do not name the protocol; by protocol where a data set has several."""
    result: dict[str, list[pd.DataFrame]] = {}
    for group, rows in groups.items():
        data = group.partition(", ")[0]
        several = sum(each.startswith(f"{data}, ") for each in groups) > 1
        result.setdefault(_name(group if several else data), []).append(rows)
    return {name: pd.concat(parts) for name, parts in result.items()}


def _name(group: str) -> str:
    data, _, protocol = group.partition(", ")
    return plain(NAMES.get(data, data) + (f" ({protocol})" if protocol else ""))


def _table(rows: pd.DataFrame, *, key: str) -> None:
    config, wide = {}, round(WIDE * presenting.scale())
    for name, (heading, about) in HEADINGS.items():
        if name in FORMATS:
            config[name] = st.column_config.NumberColumn(heading, help=about, format=FORMATS[name])
        else:
            config[name] = st.column_config.TextColumn(heading, help=about, width=wide if name == "stage" else None)
    config |= dict.fromkeys(HIDDEN)
    columns = [name for name in HEADINGS if name in rows and name != "pipeline"]
    table = rows[[*columns, "pipeline"]].assign(stage=tree(rows))
    st.dataframe(table, hide_index=True, key=key, column_config=config, placeholder=EMPTY)


def tree(rows: pd.DataFrame) -> list[str]:
    """The stage that each row adds, indented below the row that it continues; the whole line where there is none."""
    depths: dict[str, int] = {}
    cells = []
    for line, before, stage in zip(rows["pipeline"], rows["before"], rows["stage"], strict=True):
        depth = depths[line] = depths.get(before, -1) + 1
        cells.append(INDENT * (depth - 1) + f"↳ {stage}" if depth else line)
    return cells


def _gain_columns(gains: pd.DataFrame) -> dict:
    first = st.column_config.TextColumn(width=round(FIRST * presenting.scale()))
    return {gains.columns[0]: first} | {
        name: st.column_config.NumberColumn(format="%+.4f") for name in gains.columns[1:]
    }


def _downloads(rows: pd.DataFrame, name: str) -> None:
    """The table as CSV, Markdown and LaTeX."""
    columns = {HEADINGS[column][0]: rows[column].tolist() for column in HEADINGS if column in rows}
    stem = f"pipelines-{name}".replace(", ", "-")
    files = {
        "csv": ("CSV", lambda: report.csv(columns), "text/csv", ":material/table:"),
        "md": ("Markdown", lambda: tables.markdown(columns, number=".4g") + "\n", "text/markdown", ":material/notes:"),
        "tex": ("LaTeX", lambda: tables.latex(columns, number=".4g") + "\n", "text/x-tex", ":material/functions:"),
    }
    with charts.saving("pipelines"):
        for ending, (label, data, mime, icon) in files.items():
            key = f"pipelines {ending}"
            st.download_button(label, data, f"{stem}.{ending}", mime, key=key, icon=icon, on_click="ignore")
