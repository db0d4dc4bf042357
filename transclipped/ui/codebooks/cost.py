"""What coding costs: how far each stored query lies from its own code."""

from __future__ import annotations

import streamlit as st

from transclipped.ui import charts
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as drawn
from transclipped.ui.codebooks.columns import side_by_side
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

ERROR = "Mean over stored queries of 1 − cosine between a query and its decoded code: 0 loses nothing."


@guarded
def draw(shown: list) -> None:
    """The errors as a histogram for each run."""
    st.subheader("What does coding cost?")
    st.caption("How far each stored query lies from its own code: 1 − cosine, the quantization error.")
    errors = [codebook_cached.error(run.fingerprint, run) for run in shown]
    top = max(float(error.whole.max(initial=0)) for error in errors)
    for run, error in zip(side_by_side(shown), errors, strict=True):
        if not len(error.whole):
            st.info(f"{plain(run.name)} stores no queries.")
            continue
        st.metric("Quantization error", f"{error.whole.mean():.4f}", help=ERROR)
        figure = drawn.errors(error.whole, top=top, key=f"error {run.name}")
        charts.show(figure, key=f"error {run.name}", name=f"{run.name}-error")
        parts = ", ".join(f"{value:.3f}" for value in error.by_codebook.mean(0))
        st.caption(f"Mean by codebook: {parts}.")
