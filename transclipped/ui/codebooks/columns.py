"""What the sections of Codebooks share: the runs side by side, and the codebook that is looked into."""

from __future__ import annotations

from collections.abc import Iterator

import streamlit as st

from transclipped.runs.run import RunDir
from transclipped.ui import absent, cached, runs
from transclipped.ui.text import plain

NOBODY = "no other run"


def compared(run: RunDir) -> list[RunDir]:
    """The chosen run and, if wanted, another one."""
    names = [NOBODY, *(name for name, other in runs.all_runs().items() if name != run.name and _has_codes(other))]
    absent.settle("beside", names, NOBODY)
    name = st.selectbox(
        "Compare with", names, key="beside", bind="query-params",
        help="Such as one trained without the diversity regulariser, or with another clipping rule.",
    )  # fmt: skip
    return [run] if name == NOBODY else [run, runs.all_runs()[name]]


def side_by_side(shown: list[RunDir]) -> Iterator[RunDir]:
    """A column for each run, with its name if there are two."""
    for column, run in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            if len(shown) > 1:
                st.markdown(f"**Run {plain(run.name)}**")
            yield run


def codebook(shown: list[RunDir]) -> int:
    """Which codebook is looked into, from 0."""
    most = max(cached.arrays(run).codebooks.shape[0] for run in shown)
    if not 1 <= st.session_state.get("codebook", 1) <= most:  # a link to a run with more of them
        st.session_state["codebook"] = 1
    number = st.number_input(
        "Codebook", 1, most, key="codebook", bind="query-params",
        help="Each codebook codes its own part of the embedding, with one byte.",
    )  # fmt: skip
    return int(number) - 1


def having(shown: list[RunDir], m: int) -> Iterator[tuple[int, RunDir]]:
    """Place and run of each column whose run has codebook `m`; the others say that theirs has not."""
    for place, run in enumerate(side_by_side(shown)):
        if m < cached.arrays(run).codebooks.shape[0]:
            yield place, run
        else:
            st.info(f"{plain(run.name)} has no codebook {m + 1}.")


def _has_codes(run: RunDir) -> bool:
    return (run.path / "retrieval.npz").exists() and run.problem() is None
