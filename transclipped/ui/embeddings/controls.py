"""Controls and captions of Embeddings: what to map, how, in which colours, and how to read the maps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps import selection as map_selection
from transclipped.analysis.maps.bundled import Bundled
from transclipped.analysis.maps.projections import BACKBONE, DATABASE, QUANTIZED, QUERIES
from transclipped.analysis.maps.store import METRICS, Items, UmapSettings
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.ui import cached, charts, glossary, links
from transclipped.ui.collection_links import MAPPED
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import colours as map_colours
from transclipped.ui.embeddings import layouts as map_layouts
from transclipped.ui.embeddings.layouts import Layouts, Panels
from transclipped.ui.embeddings.visit import Visit
from transclipped.ui.retrieval import cached as retrieval_cached
from transclipped.ui.retrieval import collections
from transclipped.ui.retrieval.address import CARRIED, MOST
from transclipped.ui.text import plain

WARNING = (
    "**Do not read into a map** the size or density of groups, the gaps between them or their positions. "
    "Only nearest neighbours are meaningful, and only if trustworthiness is high."
)
TRUST = (
    "Trustworthiness: how far neighbours on the map are also neighbours in the embedding; 1 is perfect, 0.5 is chance. "
    "UMAP stretches dense regions; structure that appears at one setting only is an artefact."
)
SAY = (
    "Look for groups of one class: training saw no label. Then compare the large map before and after coding: "
    "what is close stays close, although each image is only a few bytes."
)
HELP = {
    "images": f"The run's stored queries, a sample of at most {projections.SAMPLE:,} images of its database, or of a "
    "collection of your images.",
    "map": "UMAP preserves neighbourhoods and takes seconds where no map is stored yet. PCA is immediate and linear: "
    "the two directions of largest variance.",
    "colour": "The class (never seen in training), the codeword of a codebook, the average precision of the item as a "
    "query, or what the run's clipping rule treats as a false negative of the query.",
    "compare": "The stages of the model; or one embedding by UMAP at several n_neighbors, to see the setting's effect.",
    "kind": "Embeddings of these images that are available on this machine.",
    "n_neighbors": "Size of the neighbourhood that UMAP preserves: small shows detail, large the overall structure.",
    "metric": "Distance between embeddings. Sub-vectors have unit length, so both agree on continuous embeddings.",
    "query": "Its position ★ is the weighted mean of the positions of its nearest items; the map is not recomputed.",
}


@dataclass(frozen=True)
class Subject:
    """Items of a map, and what is drawn with them.

    Attributes:
        version: identifies their content.
        bundled: maps that come with the app.
        data: identifies the image set, see `cached.images`; `rows` `[n]` are the items' rows in it.
        name: of the collection; None for the run's images.
    """

    items: Items
    version: str
    bundled: Bundled
    data: tuple
    rows: np.ndarray
    class_names: list[str]
    name: str | None = None


def subject(run: RunDir) -> Subject:
    """The items of the map: the run's queries, its database, or a collection that it encoded.

    Raises:
        InputError: a file of the run or the collection is missing or damaged.
    """
    stored = [QUERIES, DATABASE]
    paths = {name: path for name, path in collections.of(run).items() if name not in stored}
    names = [name for name in paths if MAPPED.fullmatch(name)]  # without Markdown, which buttons would render
    which = _choice("Images", [*stored, *names], QUERIES, key="map_which", help=HELP["images"])
    if which in stored:
        items, rows, version = maps.items(run.fingerprint, which, run)
        bundled = map_layouts.bundled(run.fingerprint, which, run, items)
        return Subject(items, version, bundled, cached.run_data(run), rows, run.record.get("class_names", []))
    try:
        path = paths[which]
        stamp = (Path(path) / "collection.json").stat().st_mtime_ns
    except (KeyError, OSError) as error:
        raise InputError(f"the collection {which} no longer exists; choose another") from error
    items, rows, version, class_names = _collection(run.fingerprint, path, stamp, run)
    return Subject(items, version, {}, (cached.COLLECTION, path, stamp), rows, class_names, which)


@st.cache_resource(max_entries=3, ttl=300, show_spinner="Reading the codes …")
def _collection(fingerprint: str, path: str, stamp: int, _run: RunDir) -> tuple[Items, np.ndarray, str, list[str]]:
    """Items of a collection, their rows in it, an identifier of their content, and the class names; read-only."""
    searcher = retrieval_cached.collection(fingerprint, path, stamp, _run)
    items = projections.items(searcher.stored, DATABASE)
    row_of = {identity: row for row, identity in enumerate(searcher.stored.database_ids.tolist())}
    rows = np.array([row_of[identity] for identity in items.ids.tolist()], np.int64)
    version = hashlib.sha256(f"{path} {stamp} {items.digests}".encode()).hexdigest()[:16]
    return items, rows, version, searcher.class_names


def _choice(label: str, options: list[str], default: str, *, key: str, help: str, disabled: bool = False) -> str:
    """A segmented control bound to the address; an option that no longer exists is dropped."""
    if st.session_state.get(key) not in options:
        st.session_state.pop(key, None)
    bound = {"key": key, "bind": "query-params", "required": True, "disabled": disabled}
    return st.segmented_control(label, options, default=default, help=help, **bound) or default


def choices(subject: Subject) -> tuple[str, str]:
    """Method, and what the colours mean."""
    items = subject.items
    method = _choice("Map", ["UMAP", "PCA"], "UMAP", key="map_method", help=HELP["map"])
    options = ["class"] if items.labels is not None else []
    options += [f"codebook {m + 1}" for m in range(items.codes.shape[1])]
    options += ["average precision"] if items.labels is not None and subject.name is None else []
    options.append(map_colours.CLIPPED)
    colour = st.selectbox("Colour", options, key="map_colour", bind="query-params", width=180, help=HELP["colour"])
    return method, colour


def panels(subject: Subject, method: str) -> Panels:
    """The maps to show side by side: by the stages of the model, or by UMAP at several settings."""
    with st.popover("UMAP settings", icon=":material/tune:"):
        kinds, pca = ["embeddings", "settings"], method == "PCA"
        compare = _choice("Side by side", kinds, kinds[0], key="map_compare", help=HELP["compare"], disabled=pca)
        settings = None if pca else _umap_settings(compare)
        if settings is None or compare == "embeddings":
            return map_layouts.by_kind(settings)
        by_kind = {kind: map_layouts.by_neighbours(settings, kind) for kind in projections.KINDS}
        several = [kind for kind in by_kind if sum(panel in subject.bundled for panel in by_kind[kind].values()) > 1]
        kinds = [kind for kind in projections.KINDS if kind in subject.items.vectors or kind in several]
        kind = QUANTIZED
        if kinds != [QUANTIZED]:
            kind = _choice("Embedding", kinds, QUANTIZED, key="map_kind", help=HELP["kind"])
        return by_kind[kind]


def _umap_settings(compare: str) -> UmapSettings:
    bound = {"bind": "query-params", "disabled": compare == "settings", "help": HELP["n_neighbors"]}
    n_neighbors = st.slider("n_neighbors", 2, 100, 15, key="map_nn", **bound)
    gap = "Smallest gap between points."
    min_dist = st.slider("min_dist", 0.0, 1.0, 0.1, 0.05, key="map_md", bind="query-params", help=gap)
    metric = st.selectbox("metric", METRICS, key="map_metric", bind="query-params", help=HELP["metric"])
    return UmapSettings(n_neighbors=n_neighbors, min_dist=min_dist, metric=metric)


def query(run, subject: Subject) -> np.ndarray | None:
    """A stored query `[D]` to overlay on the database, if the visitor chose one."""
    queries = cached.engine(run.fingerprint, run).stored.queries
    if subject.items.which != DATABASE or not len(queries):
        return None
    last, look = len(queries) - 1, {"width": 200, "placeholder": "its number"}
    number = st.number_input("Overlay a query", 0, last, None, key="map_star", help=HELP["query"], **look)
    return None if number is None else queries[number]


def colours(run, subject: Subject, colour: str, *, row: int | None, query: np.ndarray | None) -> map_colours.Colouring:
    """Colours of the points, with a caption for the clipping rule."""
    if colour != map_colours.CLIPPED:
        return map_colours.colouring(run, subject, colour)
    try:
        result, caption = map_colours.clipping(run, subject, row=row, query=query)
    except InputError as error:
        st.warning(plain(error))
        return map_colours.colouring(run, subject, "codebook 1")
    st.caption(caption)
    return result


def about(subject: Subject, layouts: Layouts) -> None:
    """What is drawn, and how to use and read it."""
    *first, last = layouts.kinds
    kinds = f"{', '.join(first)} and {last}" if first else last
    kinds = kinds.replace(BACKBONE, "[backbone]").replace(QUANTIZED, "[quantized](quantizer)")
    what = "[queries](query)" if subject.items.which == QUERIES else "database images"
    what = f"images of {subject.name}" if subject.name else what
    method = "[UMAP]" if layouts.method == "UMAP" else layouts.method
    glossary.paragraph(
        f"Each point is one of {len(subject.items):,} {what}, placed by its {kinds} embedding ({method}). Click a "
        "small map to enlarge it. Drag to pan, scroll to zoom until points become images, hover for the image, click "
        "to search, Shift-drag to select, Esc to clear."
    )
    st.markdown(WARNING, help=TRUST)


def actions(run: RunDir, subject: Subject, layouts: Layouts, visit: Visit) -> None:
    """Buttons below the maps: search with the query or the selection, and save. Retrieval opens with the query too."""
    alone = visit.picked is not None and subject.name is None
    st.session_state[CARRIED] = str(subject.items.ids[visit.picked]) if alone else None
    with st.container(horizontal=True, vertical_alignment="center", key="map-actions"):
        rows = [visit.picked] if visit.picked is not None else []
        _search("Search with this image", subject, rows, key="search")
        several = visit.selection.tolist() if 1 < len(visit.selection) <= MOST else []
        _search(f"Search with the {len(several)} selected", subject, several, key="search all")
        with charts.saving("maps"), st.popover("Save", type="tertiary", icon=":material/download:"):
            chosen = len(visit.selection)
            what = f"the {chosen:,} selected images" if chosen else f"all {len(subject.items):,} images"
            st.caption(f"Ids, labels, codes and positions of {what}. PNG and SVG above the maps save the large one.")
            export(subject, visit.selection, layouts, name=subject.name or run.name)


def _search(label: str, subject: Subject, rows, *, key: str) -> None:
    """A button to Retrieval, whose query these images become; nothing without rows."""
    if not len(rows):
        return
    where = {"collection": subject.name} if subject.name else {}
    if st.button(label, icon=":material/image_search:", key=key):
        links.go("retrieval", query_id=[str(subject.items.ids[row]) for row in rows], **where)


def export(subject: Subject, selection: np.ndarray, layouts: Layouts, *, name: str) -> None:
    """Buttons that save the selected rows, or all; `name` is that of the files."""
    rows = selection if len(selection) else np.arange(len(subject.items))
    positions = {title: each.xy for title, each in layouts.maps.items()}
    name = f"{name}-{'selected' if len(selection) else 'map'}"

    def table() -> dict:
        return map_selection.selection_table(subject.items, rows, subject.class_names, positions)

    options = {"on_click": "ignore", "icon": ":material/table:"}
    st.download_button("CSV", lambda: map_selection.to_csv(table()), f"{name}.csv", "text/csv", key="csv", **options)
    parquet = f"{name}.parquet"
    st.download_button("Parquet", lambda: map_selection.to_parquet(table()), parquet, key="parquet", **options)
