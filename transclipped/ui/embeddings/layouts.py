"""Which maps the Embeddings page draws: of those that are asked for the ones that are here, PCA where there is none."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import projections
from transclipped.analysis.maps.bundled import Bundled
from transclipped.analysis.maps.projections import KINDS, SETTINGS_COMPARED, Items, Map, UmapSettings
from transclipped.runs.run import RunDir
from transclipped.ui import cached

Wanted = dict[str, tuple[str, UmapSettings | None]]  # kind of embedding and settings, None for PCA, by panel


@dataclass(frozen=True)
class Layouts:
    """What is drawn.

    Attributes:
        found: maps by the name of their panel.
        kinds: of embedding that they show, in the order of the model.
        method: "UMAP" or "PCA".
        missing: what is asked for and still to be computed.
    """

    found: dict[str, Map]
    kinds: list[str]
    method: str
    missing: Wanted


def stages(shown: Items, bundled: Bundled, settings: UmapSettings | None) -> Wanted:
    """The stages of the model side by side."""
    return {kind: (kind, settings) for kind in bundled_maps.kinds(shown, bundled, settings)}


def several(shown: Items, bundled: Bundled, settings: UmapSettings, kind: str) -> Wanted:
    """One kind of embedding at each n_neighbors that is compared, as far as it can be had."""
    found = {}
    for n in SETTINGS_COMPARED:
        each = UmapSettings(n_neighbors=n, min_dist=settings.min_dist, metric=settings.metric)
        if kind in bundled_maps.kinds(shown, bundled, each):
            found[f"{kind}, {n} neighbours"] = (kind, each)
    return found


def comparable(shown: Items, bundled: Bundled, settings: UmapSettings) -> list[str]:
    """Kinds of embedding that can be had at more than one n_neighbors."""
    return [kind for kind in KINDS if len(several(shown, bundled, settings, kind)) > 1]


def laid_out(shown: Items, version: str, bundled: Bundled, wanted: Wanted) -> Layouts:
    """Maps that can be drawn at once.

    Args:
        version: of the items.
    """
    asked = {name: found(version, kind, settings, shown, bundled) for name, (kind, settings) in wanted.items()}
    missing = {name: wanted[name] for name, each in asked.items() if each is None}
    there = {name: each for name, each in asked.items() if each is not None}
    if not there:
        wanted = stages(shown, bundled, None)
        there = {name: found(version, kind, None, shown, bundled) for name, (kind, _) in wanted.items()}
    drawn = [wanted[name] for name in there]
    kinds = [kind for kind in KINDS if any(kind == other for other, _ in drawn)]
    return Layouts(there, kinds, "UMAP" if any(settings for _, settings in drawn) else "PCA", missing)


def found(version: str, kind: str, settings: UmapSettings | None, shown: Items, bundled: Bundled) -> Map | None:
    """A map that can be drawn at once: PCA where `settings` is None, else a bundled or earlier one; None if neither."""
    if (kind, settings) in bundled:
        return bundled[kind, settings]
    if kind not in shown.vectors:
        return None
    if settings is None:
        return pca(version, kind, shown)
    return projections.stored_map(projections.map_key(shown.digests[kind], settings))


@st.cache_resource(max_entries=12, ttl=300, show_spinner=False)
def bundled(fingerprint: str, which: str, _run: RunDir, _shown: Items) -> Bundled:
    """Maps that come with the app, empty for a run that is not bundled; read-only."""
    name = bundled_maps.content(_run, cached.arrays(_run), which)
    return bundled_maps.load(name, len(_shown))


@st.cache_data(max_entries=24, show_spinner="Projecting …")
def pca(version: str, kind: str, _shown: Items) -> Map:
    """PCA of one kind of embedding."""
    return projections.pca(_shown.vectors[kind])
