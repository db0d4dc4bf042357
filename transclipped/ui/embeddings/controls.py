"""What to lay out on Embeddings, how, in which colours, and which query to draw in."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.projections import DATABASE, QUANTIZED, QUERIES, UmapSettings
from transclipped.errors import InputError
from transclipped.ui import cached
from transclipped.ui.embeddings import colours as map_colours
from transclipped.ui.embeddings import layouts
from transclipped.ui.embeddings import subject as map_subject
from transclipped.ui.embeddings.subject import Subject
from transclipped.ui.text import plain


def subject(run) -> Subject:
    """The items of the map."""
    options = map_subject.options(run)
    if st.session_state.get("map_which") not in options:
        st.session_state.pop("map_which", None)
    which = st.segmented_control(
        "Images", options, default=QUERIES, required=True, key="map_which", bind="query-params",
        help=f"The run's stored queries, a sample of at most {projections.SAMPLE:,} of the images it searches, or of "
        "a collection of your own images.",
    ) or QUERIES  # fmt: skip
    return map_subject.subject(run, which)


def choices(subject) -> tuple:
    """What to lay out, how, and in which colours."""
    shown = subject.shown
    method = st.segmented_control(
        "Map", ["UMAP", "PCA"], default="UMAP", required=True, key="map_method", bind="query-params",
        help="UMAP keeps neighbours, and takes seconds where no map is there yet. PCA is at once and linear: the two "
        "directions of most variance.",
    )  # fmt: skip
    options = ["class"] if shown.labels is not None else []
    options += [f"codebook {m + 1}" for m in range(shown.codes.shape[1])]
    options += ["average precision"] if shown.labels is not None and subject.name is None else []
    options.append(map_colours.CLIPPED)
    colour = st.selectbox(
        "Colour", options, key="map_colour", bind="query-params", width=190,
        help="The class (training never saw it), the codeword of a codebook, how well the item does as a query, or "
        "what the run's clipping rule takes for a false negative of the query.",
    )  # fmt: skip
    compare = st.segmented_control(
        "Side by side", ["embeddings", "settings"], default="embeddings", required=True, key="map_compare",
        bind="query-params", disabled=method == "PCA",
        help="The stages of the model; or one embedding by UMAP at several n_neighbors, to see what the setting does.",
    )  # fmt: skip
    return method or "UMAP", colour, compare or "embeddings"


def wanted_maps(shown, bundled, method: str, compare: str):
    """What is to lie side by side."""
    if method == "PCA":
        return layouts.stages(shown, bundled, None)
    settings = _umap_settings(compare)
    if compare == "embeddings":
        return layouts.stages(shown, bundled, settings)
    kinds = layouts.comparable(shown, bundled, settings)
    if kinds == [QUANTIZED]:
        return layouts.several(shown, bundled, settings, QUANTIZED)
    if st.session_state.get("map_kind") not in kinds:
        st.session_state.pop("map_kind", None)
    kind = st.segmented_control(
        "Embedding", kinds, default=QUANTIZED, required=True, key="map_kind", bind="query-params",
        help="Those of these images that are on this machine.",
    )  # fmt: skip
    return layouts.several(shown, bundled, settings, kind or QUANTIZED)


def _umap_settings(compare: str) -> UmapSettings:
    one, two, three = st.expander("Settings of UMAP", icon=":material/tune:").columns(3)
    return UmapSettings(
        n_neighbors=one.slider(
            "n_neighbors", 2, 100, 15, key="map_nn", bind="query-params", disabled=compare == "settings",
            help="Size of the neighbourhood that UMAP tries to keep: small shows detail, large the whole.",
        ),
        min_dist=two.slider(
            "min_dist", 0.0, 1.0, 0.1, 0.05, key="map_md", bind="query-params", help="Smallest gap between points.",
        ),
        metric=three.selectbox(
            "metric", projections.METRICS, key="map_metric", bind="query-params",
            help="How the embedding is measured. Sub-vectors have unit length, so on continuous embeddings both agree.",
        ),
    )  # fmt: skip


def query(run, shown):
    """A stored query `[D]` to draw in among database items, if the visitor wants one."""
    queries = cached.engine(run.fingerprint, run).stored.queries
    if shown.which != DATABASE or not len(queries):
        return None
    number = st.number_input(
        "Draw in a query of the run", 0, len(queries) - 1, None, key="map_star", width=260, placeholder="its number",
        help="Its place ★ is the weighted mean of its nearest items' places; the map is not laid out anew.",
    )  # fmt: skip
    return None if number is None else queries[number]


def colours(run, subject: Subject, colour: str, *, row, query):
    """Colours of the points, with a sentence on those that need one."""
    shown, version, names = subject.shown, subject.version, subject.names
    if colour != map_colours.CLIPPED:
        return map_colours.colouring(run, shown, version, colour, names=names)
    try:
        result, said = map_colours.clipping(run, shown, version, row=row, query=query)
    except InputError as error:
        st.warning(plain(error))
        return map_colours.colouring(run, shown, version, "codebook 1", names=names)
    st.caption(said)
    return result
