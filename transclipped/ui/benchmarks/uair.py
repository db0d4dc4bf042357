"""The learned re-ranker UAIR on Benchmarks: what its two networks learn by round, and its hits beside QE's."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from transclipped.experiments.pipelines.uair_rounds import Rounds, read
from transclipped.ui import charts
from transclipped.ui.glossary import paragraph
from transclipped.utils.files import ASSETS

FILE = ASSETS / "pipeline" / "uair-caltech101.json"
ABOUT = (
    "UAIR is [re-ranking] by a learned network. G proposes [hits](hit) of a [query]; D doubts them, and its doubt "
    "trains G. True, for both, are mutual neighbours: no label takes part."
)


def draw() -> None:
    """Two charts, and the result."""
    if not FILE.exists():
        return
    rounds = _read(str(FILE), FILE.stat().st_mtime_ns)
    st.header("A learned re-ranker")
    paragraph(ABOUT)
    st.markdown(verdict(rounds))
    left, right = st.columns(2, gap="medium")
    with left:
        st.caption("What G proposes: the share that is true. What D believes: the share that it classifies correctly.")
        lines = {"G proposes": _points(rounds.proposed), "D believes": _points(rounds.believed)}
        charts.show(charts.curves(lines, x="round", y="share", key="uair"), key="uair", name="uair-networks")
    with right:
        st.caption(
            f"mAP-min@{int(rounds.k)} of the hits on Caltech-101, observed with labels. Round 0 is the search alone."
        )
        lines = {"UAIR": _points(rounds.map_r), "QE": _points([rounds.qe] * len(rounds.map_r))}
        charts.show(charts.curves(lines, x="round", y="mAP-min", key="uair map"), key="uair map", name="uair-map")


def verdict(rounds: Rounds) -> str:
    """What the last round reaches against query expansion and the search alone."""
    first, last, qe = rounds.map_r[0], rounds.map_r[-1], rounds.qe
    numbers = f"mAP-min {last:.3f} after {len(rounds.map_r) - 1} rounds, QE {qe:.3f}, the search alone {first:.3f}"
    gains = f"It gains {last - qe:.3f} over QE here" if last > qe else "It gains nothing over QE here"
    return f"**{gains}**: {numbers}."


@st.cache_data(max_entries=2, show_spinner=False)
def _read(path: str, stamp: int) -> Rounds:
    return read(Path(path))


def _points(values: list[float | None]) -> tuple[list[int], list[float]]:
    rounds = [i for i, value in enumerate(values) if value is not None]
    return rounds, [values[i] for i in rounds]
