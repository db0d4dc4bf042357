"""Embeddings: what the model puts side by side, before and after its codes."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.projections import DATABASE, QUANTIZED, QUERIES, UmapSettings
from transclipped.errors import InputError
from transclipped.ui import cached, runs
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import colours as map_colours
from transclipped.ui.embeddings import layouts
from transclipped.ui.embeddings import offer as map_offer
from transclipped.ui.embeddings import subject as map_subject
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

KEY = "map"
NEIGHBOURS = 12
WARNING = (
    "**What a map must not be read for:** how large or dense a group is, how wide the gaps are, and where the groups "
    "lie. Only *who is next to whom* counts, as far as the trustworthiness says."
)
TRUST = (
    "Trustworthiness tells how far neighbours on the map are also in the embedding: 1 is perfect, 0.5 chance. UMAP "
    "stretches what is crowded, and what shows at one of its settings alone is the setting's doing."
)


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


def umap_settings(compare: str) -> UmapSettings:
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


def wanted_maps(shown, bundled, method: str, compare: str):
    """What is to lie side by side."""
    if method == "PCA":
        return layouts.stages(shown, bundled, None)
    settings = umap_settings(compare)
    if compare == "embeddings":
        return layouts.stages(shown, bundled, settings)
    kinds = layouts.comparable(shown, bundled, settings)
    if kinds == [QUANTIZED]:
        return layouts.several(shown, bundled, settings, QUANTIZED)
    if st.session_state.get("map_kind") not in kinds:
        st.session_state.pop("map_kind", None)
    kind = st.segmented_control(
        "Embedding", kinds, default=QUANTIZED, required=True, key="map_kind", bind="query-params",
        help="Those of these pictures that are on this machine.",
    )  # fmt: skip
    return layouts.several(shown, bundled, settings, kind or QUANTIZED)


def asked(run, shown):
    """A stored query `[D]` to draw in among database items, if the visitor wants one."""
    queries = cached.arrays(run).queries
    if shown.which != DATABASE or not len(queries):
        return None
    number = st.number_input(
        "Draw in a query of the run", 0, len(queries) - 1, None, key="map_star", width=260, placeholder="its number",
        help="Its place ★ is the weighted mean of its nearest items' places; the map is not laid out anew.",
    )  # fmt: skip
    return None if number is None else queries[number]


def coloured(run, subject, colour, *, row, query):
    """Colours of the points, with a sentence on those that need one."""
    shown, version, names = subject.shown, subject.version, subject.names
    if colour != map_colours.CLIPPED:
        return map_colours.colouring(run, shown, version, colour, names=names)
    try:
        colours, said = map_colours.clipping(run, shown, version, row=row, query=query)
    except InputError as error:
        st.warning(plain(error))
        return map_colours.colouring(run, shown, version, "codebook 1", names=names)
    st.caption(said)
    return colours


def about(subject, laid, compare: str) -> None:
    """What is drawn, and what cannot be."""
    shown = subject.shown
    *first, last = laid.kinds
    kinds = f"{', '.join(first)} and {last}" if first else last
    what = "queries" if shown.which == QUERIES else "database pictures"
    what = f"images of *{plain(subject.name)}*" if subject.name else what
    st.caption(
        f"Each point is one of {len(shown):,} {what} by its {kinds} embedding ({laid.method}). Drag to move, wheel to "
        "zoom, point to see, click to ask, shift-drag to choose, Esc to forget."
    )
    absent = [kind for kind in projections.KINDS if kind not in laid.kinds and not laid.missing]
    if absent and compare == "embeddings":
        st.caption(
            f"Not shown: {' and '.join(absent)} embeddings, which are not on this machine for these pictures. "
            "Training a run on them keeps them."
        )


@st.fragment
@guarded
def explore(run) -> None:
    controls = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    options = map_subject.options(run)
    if st.session_state.get("map_which") not in options:
        st.session_state.pop("map_which", None)
    which = controls.segmented_control(
        "Pictures", options, default=QUERIES, required=True, key="map_which", bind="query-params",
        help=f"The run's stored queries, a sample of at most {projections.SAMPLE:,} of the pictures it searches, or of "
        "a collection of your own images.",
    ) or QUERIES  # fmt: skip
    subject = map_subject.subject(run, which)
    shown, version, bundled = subject.shown, subject.version, subject.bundled
    with controls:
        method, colour, compare = choices(subject)
    with st.container():  # what comes and goes stays in here, so that the map keeps its place
        laid = layouts.laid_out(shown, version, bundled, wanted_maps(shown, bundled, method, compare))
        if laid.missing:
            map_offer.offer(shown, laid.missing, instead="Meanwhile you see PCA." if laid.method == "PCA" else "")
        query = asked(run, shown)
    star, neighbours = None, []
    if query is not None:
        star, neighbours = projections.newcomer(shown, query, laid.found, k=NEIGHBOURS)
    picked = maps.picked(shown, KEY, version)
    if picked is not None:
        neighbours = projections.nearest_items(shown, picked, NEIGHBOURS).tolist()
    about(subject, laid, compare)
    colours = coloured(run, subject, colour, row=picked, query=query)
    st.caption(WARNING, help=TRUST)
    selection = maps.selection(shown, KEY, version)
    maps.draw(
        shown, laid.found, colours, version=version, key=KEY,
        data=subject.data, rows=subject.rows, selection=selection.tolist(), picked=picked,
        neighbours=neighbours, star=star,
    )  # fmt: skip
    if len(selection):
        export(subject, selection, laid.found, name=subject.name or run.name)


def export(subject, selection, found, *, name: str) -> None:
    table = projections.selection_table(
        subject.shown, selection, subject.names, {panel: m.xy for panel, m in found.items()}
    )
    st.caption(f"{len(selection):,} pictures are chosen: take along their ids, labels, codes and places.")
    left, right, _ = st.columns([1, 1, 3])
    left.download_button("CSV", projections.to_csv(table), f"{name}-chosen.csv", "text/csv", key="csv")
    right.download_button("Parquet", projections.to_parquet(table), f"{name}-chosen.parquet", key="parquet")


st.title("Embeddings")
st.caption("What the model takes for similar lies side by side. Compare what it sees with what is left after coding.")
chosen = runs.finished()
if chosen is not None:
    explore(chosen)
