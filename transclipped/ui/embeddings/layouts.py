"""Which maps Embeddings draws at once, and the button and progress bar for UMAPs that are not computed yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import projections, umap_job
from transclipped.analysis.maps.bundled import Bundled
from transclipped.analysis.maps.projections import KINDS, SETTINGS_COMPARED, Items, Map, UmapSettings
from transclipped.runs.run import RunDir
from transclipped.ui import access, cached
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

Panels = dict[str, tuple[str, UmapSettings | None]]  # title: kind of embedding, and its settings or None for PCA


@dataclass(frozen=True)
class Layouts:
    """Maps to draw.

    Attributes:
        maps: by the title of their panel.
        kinds: of embedding, in the order of the model.
        method: "UMAP" or "PCA".
        missing: panels to be computed.
    """

    maps: dict[str, Map]
    kinds: list[str]
    method: str
    missing: Panels


def by_kind(items: Items, bundled: Bundled, settings: UmapSettings | None) -> Panels:
    """A panel for each stage of the model."""
    return {kind: (kind, settings) for kind in bundled_maps.kinds(items, bundled, settings)}


def by_neighbours(items: Items, bundled: Bundled, settings: UmapSettings, kind: str) -> Panels:
    """A panel for each n_neighbors at which this kind of embedding is available."""
    panels = {}
    for n in SETTINGS_COMPARED:
        each = replace(settings, n_neighbors=n)
        if kind in bundled_maps.kinds(items, bundled, each):
            panels[f"{kind}, {n} neighbours"] = (kind, each)
    return panels


def layouts(items: Items, version: str, bundled: Bundled, panels: Panels) -> Layouts:
    """The available maps of `panels`; PCA if none is available."""
    stored = {title: available(version, *panel, items, bundled) for title, panel in panels.items()}
    maps = {title: each for title, each in stored.items() if each is not None}
    missing = {title: panel for title, panel in panels.items() if title not in maps}
    if not maps:
        panels = by_kind(items, bundled, None)
        maps = {title: available(version, *panel, items, bundled) for title, panel in panels.items()}
    visible = [panels[title] for title in maps]
    kinds = [kind for kind in KINDS if any(kind == other for other, _ in visible)]
    return Layouts(maps, kinds, "UMAP" if any(settings for _, settings in visible) else "PCA", missing)


def available(version: str, kind: str, settings: UmapSettings | None, items: Items, bundled: Bundled) -> Map | None:
    """A bundled map, PCA if `settings` is None, or a stored UMAP; None if it is still to be computed."""
    if (kind, settings) in bundled:
        return bundled[kind, settings]
    if kind not in items.vectors:
        return None
    if settings is None:
        return pca(version, kind, items)
    return projections.stored_map(projections.map_key(items.digests[kind], settings))


@st.cache_resource(max_entries=12, ttl=300, show_spinner=False)
def bundled(fingerprint: str, which: str, _run: RunDir, _items: Items) -> Bundled:
    """Maps that come with the app, empty for a run that is not bundled; read-only."""
    return bundled_maps.load(bundled_maps.content(_run, cached.arrays(_run), which), len(_items))


@st.cache_data(max_entries=24, show_spinner="Projecting …")
def pca(version: str, kind: str, _items: Items) -> Map:
    """PCA of one kind of embedding."""
    return projections.pca(_items.vectors[kind])


def offer(items: Items, layouts: Layouts) -> None:
    """A button that computes the missing maps in a child process, or the progress of that process."""
    job = umap_job.current()
    if job and job["state"] == "running":
        _progress()
        return
    if job:
        st.error(f"The last map failed: {plain(job.get('error'))}")
    look = {"type": "primary", "icon": ":material/scatter_plot:", **access.control(access.TRAIN)}
    if st.button("Compute UMAP", key="compute", **look):
        access.require(access.TRAIN)
        umap_job.start([(items.vectors[kind], settings) for kind, settings in layouts.missing.values()])
        st.rerun(scope="app")
    st.caption(
        f"Not computed yet: UMAP of {'; '.join(layouts.missing)}. For these {len(items):,} points a map takes "
        f"{'a few seconds' if len(items) <= 1000 else 'up to a minute'}, once."
        f"{' Showing PCA meanwhile.' if layouts.method == 'PCA' else ''}"
    )


@st.fragment(run_every="1s")
@shows_input_errors
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
