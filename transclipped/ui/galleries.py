"""Ranked pictures in a grid."""

from __future__ import annotations

import streamlit as st

from transclipped.training.run import RunDir
from transclipped.ui import cached
from transclipped.ui.theme import MARKS

COLUMNS = 8


def hits(run: RunDir, found: list, *, wanted: list[str]) -> None:
    """Hits, best first; a frame and a mark tell which share a label with the query.

    Args:
        found: `engine.Hit`s.
        wanted: names of the query's labels; empty where nobody knows them.
    """
    rows = cached.rows_of_ids(run.fingerprint, run)
    data = cached.run_data(run)
    for start in range(0, len(found), COLUMNS):
        for column, hit in zip(st.columns(COLUMNS), found[start : start + COLUMNS], strict=False):
            relevant = bool(set(hit.labels) & set(wanted)) if wanted else None
            with column:
                st.image(cached.tile(data, rows[hit.id], relevant), width="stretch")
                st.caption(f"#{hit.rank} {MARKS[relevant]} {', '.join(hit.labels)} {hit.score:.3f}")
