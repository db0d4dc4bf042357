"""The offer to compute UMAPs that are not there yet, by a process of its own, and the bar that follows it."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis.maps import umap_job
from transclipped.analysis.maps.projections import Items
from transclipped.ui import access
from transclipped.ui.embeddings.layouts import Wanted
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain


def offer(shown: Items, missing: Wanted, *, instead: str) -> None:
    """Start the missing maps, or watch them being made.

    Args:
        instead: what the visitor sees meanwhile, a sentence.
    """
    job = umap_job.current()
    if job and job["state"] == "running":
        _progress()
        return
    if job:
        st.error(f"The last map was not finished: {plain(job.get('error'))}")
    if st.button("Compute UMAP", type="primary", icon=":material/scatter_plot:", key="compute",
                 **access.control(access.TRAIN)):  # fmt: skip
        access.require(access.TRAIN)
        umap_job.start([(shown.vectors[kind], settings) for kind, settings in missing.values()])
        st.rerun(scope="app")
    st.caption(
        f"Not there yet: UMAP of {'; '.join(missing)}. For these {len(shown):,} points it takes "
        f"{'some seconds' if len(shown) <= 1000 else 'up to a minute'} a map, once. {instead}"
    )


@st.fragment(run_every="1s")
@guarded
def _progress() -> None:
    job = umap_job.current()
    if job is None or job["state"] != "running":
        st.rerun(scope="app")
    text = f"Map {job['map']} of {job['of']}: {job['step']} …"
    st.progress(min(1.0, max(0.0, job["done"])), text=plain(text))
    if st.button("Cancel", icon=":material/close:", key="cancel", **access.control(access.TRAIN)):
        access.require(access.TRAIN)
        umap_job.cancel()
        st.rerun(scope="app")
