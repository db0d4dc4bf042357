"""Embeddings: what the model puts side by side, before and after its codes."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.ui import runs
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import captions, controls, layouts
from transclipped.ui.embeddings import offer as map_offer
from transclipped.ui.guard import guarded

KEY = "map"
NEIGHBOURS = 12


@st.fragment
@guarded
def explore(run) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with row:
        subject = controls.subject(run)
    shown, version, bundled = subject.shown, subject.version, subject.bundled
    with row:
        method, colour, compare = controls.choices(subject)
    with st.container():  # what comes and goes stays in here, so that the map keeps its place
        laid = layouts.laid_out(shown, version, bundled, controls.wanted_maps(shown, bundled, method, compare))
        if laid.missing:
            map_offer.offer(shown, laid.missing, instead="Meanwhile you see PCA." if laid.method == "PCA" else "")
        query = controls.query(run, shown)
    star, neighbours = None, []
    if query is not None:
        star, neighbours = projections.newcomer(shown, query, laid.found, k=NEIGHBOURS)
    picked = maps.picked(shown, KEY, version)
    if picked is not None:
        neighbours = projections.nearest_items(shown, picked, NEIGHBOURS).tolist()
    captions.about(subject, laid, compare)
    colours = controls.colours(run, subject, colour, row=picked, query=query)
    captions.warning()
    selection = maps.selection(shown, KEY, version)
    maps.draw(
        shown, laid.found, colours, version=version, key=KEY,
        data=subject.data, rows=subject.rows, selection=selection.tolist(), picked=picked,
        neighbours=neighbours, star=star,
    )  # fmt: skip
    if len(selection):
        captions.chosen(subject, selection, laid.found, name=subject.name or run.name)


st.title("Embeddings")
st.caption("What the model takes for similar lies side by side. Compare what it sees with what is left after coding.")
run = runs.finished()
if run is not None:
    explore(run)
