"""Which maps Embeddings draws at once, and the button and progress bar for UMAPs that are not computed yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import plane, projections, umap_job
from transclipped.analysis.maps.bundled import Bundled
from transclipped.analysis.maps.projections import KINDS, SETTINGS_COMPARED
from transclipped.analysis.maps.store import Items, Map, UmapSettings, map_key, stored_map
from transclipped.runs.run import RunDir
from transclipped.ui import access, cached
from transclipped.ui.components import map as maps
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

NOT_COMPUTED = "Not computed yet at these settings."
NOT_HERE = "The embeddings of these images are not on this machine. Training a run on them keeps them."
Panels = dict[str, tuple[str, UmapSettings | None]]  # title: kind of embedding, and its settings or None for PCA


@dataclass(frozen=True)
class Layouts:
    """Maps to draw.

    Attributes:
        maps: by the title of their panel.
        kinds: of embedding, in the order of the model.
        method: "UMAP" or "PCA".
        empty: why a panel beside them has no map, by its title.
        missing: panels to be computed, by a kind of embedding that is available.
        lacking: panels by a kind that is not available on this machine.
    """

    maps: dict[str, Map]
    kinds: list[str]
    method: str
    empty: dict[str, str]
    missing: Panels
    lacking: Panels


def by_kind(settings: UmapSettings | None) -> Panels:
    """A panel for each stage of the model."""
    return {kind: (kind, settings) for kind in KINDS}


def by_neighbours(settings: UmapSettings, kind: str) -> Panels:
    """A panel for each n_neighbors that is compared."""
    return {f"{kind}, {n} neighbours": (kind, replace(settings, n_neighbors=n)) for n in SETTINGS_COMPARED}


def layouts(items: Items, version: str, bundled: Bundled, panels: Panels) -> Layouts:
    """The available maps of `panels`; PCA if none is available."""
    stored = {title: available(version, *panel, items, bundled) for title, panel in panels.items()}
    maps = {title: each for title, each in stored.items() if each is not None}
    absent = {title: panel for title, panel in panels.items() if title not in maps}
    missing = {title: panel for title, panel in absent.items() if panel[0] in items.vectors and panel[1] is not None}
    lacking = {title: panel for title, panel in absent.items() if title not in missing}
    if not maps:
        panels = by_kind(None)
        stored = {title: available(version, *panel, items, bundled) for title, panel in panels.items()}
        maps = {title: each for title, each in stored.items() if each is not None}
    visible = [panels[title] for title in maps]
    kinds = [kind for kind in KINDS if any(kind == other for other, _ in visible)]
    empty = {title: panel for title, panel in panels.items() if title not in maps}
    reasons = {title: NOT_COMPUTED if title in missing else NOT_HERE for title in empty}
    method = "UMAP" if any(settings for _, settings in visible) else "PCA"
    return Layouts(maps, kinds, method, reasons, missing, lacking)


def available(version: str, kind: str, settings: UmapSettings | None, items: Items, bundled: Bundled) -> Map | None:
    """A bundled map, PCA if `settings` is None, or a stored UMAP; None if it is still to be computed."""
    if (kind, settings) in bundled:
        return bundled[kind, settings]
    if kind not in items.vectors:
        return None
    if settings is None:
        return pca(version, kind, items)
    return stored_map(map_key(items.digests[kind], settings))


@st.cache_resource(max_entries=12, ttl=300, show_spinner=False)
def bundled(fingerprint: str, which: str, _run: RunDir, _items: Items) -> Bundled:
    """Maps that come with the app, empty for a run that is not bundled; read-only."""
    return bundled_maps.load(bundled_maps.content(_run, cached.arrays(_run), which), len(_items))


@st.cache_data(max_entries=24, show_spinner="Projecting …")
def pca(version: str, kind: str, _items: Items) -> Map:
    """PCA of one kind of embedding."""
    return plane.pca(_items.vectors[kind])


def offer(run: RunDir, subject, layouts: Layouts) -> None:
    """A button that computes the missing maps in a child process, or the progress of that process.

    A few images are encoded by that process too, if their embeddings are missing.
    """
    job = umap_job.current()
    if job and job["state"] == "running":
        _progress()
        return
    encodable = subject.name is None and projections.can_encode(run, subject.items)
    panels = {title: each for title, each in layouts.lacking.items() if each[1] and encodable} | layouts.missing
    if not panels:
        return
    if job:
        st.error(f"The last map failed: {plain(job.get('error'))}")
    look = {"type": "primary", "icon": ":material/scatter_plot:", **access.control(access.TRAIN)}
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button("Compute UMAP", key="compute", **look)
        st.caption(_offered(subject.items, layouts, panels))
    if pressed:
        access.require(access.TRAIN)
        _start(run, subject.items, panels)
        st.rerun(scope="app")


def _offered(items: Items, layouts: Layouts, panels: Panels) -> str:
    encodes = any(kind not in items.vectors for kind, _ in panels.values())
    return (
        f"Not computed yet: UMAP of {'; '.join(panels)}. For these {len(items):,} points a map takes "
        f"{'a few seconds' if len(items) <= 1000 else 'up to a minute'}, once."
        f"{' The images are encoded first.' if encodes else ''}"
        f"{' Showing PCA meanwhile.' if layouts.method == 'PCA' else ''}"
    )


def _start(run: RunDir, items: Items, panels: Panels) -> None:
    stored = [(items.vectors[kind], settings) for kind, settings in panels.values() if kind in items.vectors]
    others = [panel for panel in panels.values() if panel[0] not in items.vectors]
    umap_job.start(stored, encoding=umap_job.Encoding(run, items.which, others) if others else None)


@st.fragment(run_every="1s")
@shows_input_errors
def _progress() -> None:
    job = umap_job.current()
    if job is None or job["state"] != "running":
        maps.items.clear()  # the process may have encoded images
        st.rerun(scope="app")
    text = f"Map {job['map']} of {job['of']}: {job['step']} …"
    st.progress(min(1.0, max(0.0, job["done"])), text=plain(text))
    if st.button("Cancel", icon=":material/close:", key="cancel", **access.control(access.TRAIN)):
        access.require(access.TRAIN)
        umap_job.cancel()
        st.rerun(scope="app")
