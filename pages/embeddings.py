"""Embeddings: which images the model considers similar, before and after coding."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.ui import runs
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import controls
from transclipped.ui.embeddings import layouts as map_layouts
from transclipped.ui.guard import shows_input_errors

KEY = "map"
NEIGHBOURS = 12


@st.fragment
@shows_input_errors
def explore(run) -> None:
    row = st.container(horizontal=True, vertical_alignment="bottom", gap="medium")
    with row:
        subject = controls.subject(run)
        method, colour, compare = controls.choices(subject)
    items, version = subject.items, subject.version
    with st.container():  # elements that come and go stay in here, so that the map keeps its place
        panels = controls.panels(subject, method, compare)
        layouts = map_layouts.layouts(items, version, subject.bundled, panels)
        if layouts.missing:
            map_layouts.offer(items, layouts)
        query = controls.query(run, subject)
    star, neighbours = None, []
    if query is not None:
        star, neighbours = projections.locate_query(items, query, layouts.maps, k=NEIGHBOURS)
    picked = maps.picked(items, KEY, version)
    if picked is not None:
        neighbours = projections.nearest_items(items, picked, NEIGHBOURS).tolist()
    controls.about(subject, layouts, compare)
    colours = controls.colours(run, subject, colour, row=picked, query=query)
    st.caption(controls.WARNING, help=controls.TRUST)
    selection = maps.selection(items, KEY, version)
    marks = {"selection": selection.tolist(), "picked": picked, "neighbours": neighbours, "star": star}
    images = {"data": subject.data, "rows": subject.rows}
    maps.draw(items, layouts.maps, colours, version=version, key=KEY, **images, **marks)
    if len(selection):
        controls.export(subject, selection, layouts, name=subject.name or run.name)


st.title("Embeddings")
st.caption("Images that the model considers similar lie side by side. Compare its embeddings before and after coding.")
run = runs.finished()
if run is not None:
    explore(run)
