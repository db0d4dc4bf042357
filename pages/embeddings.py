"""Embeddings: which images the model considers similar, before and after coding."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import glossary, presenting, runs
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import controls, outliers, view, visit
from transclipped.ui.embeddings import layouts as map_layouts
from transclipped.ui.guard import shows_input_errors

KEY = "map"


@st.fragment
@shows_input_errors
def explore(run) -> None:
    above, below = st.container(), st.container()
    if presenting.folded():  # the maps first
        above, below = below, above
    row = {"horizontal": True, "vertical_alignment": "bottom", "gap": "small"}
    with above, presenting.controls("What the maps show"), st.container(**row):
        subject = controls.subject(run)
        method, colour = controls.choices(subject)
        panels = controls.panels(subject, method)
        query = controls.query(run, subject)
    with below:
        show(run, subject, panels, colour, query)


def show(run, subject, panels, colour, query) -> None:
    items, version = subject.items, subject.version
    with st.container():  # elements that come and go stay in here, so that the map keeps its place
        layouts = map_layouts.layouts(items, version, subject.bundled, panels)
        map_layouts.offer(run, subject, layouts)
        visited = visit.of(items, KEY, version, list(layouts.maps))
        colours = controls.colours(run, subject, colour, row=visited.picked, query=query)
    sent = {"data": subject.data, "rows": subject.rows, "empty": layouts.empty}
    sent |= view.of(subject, layouts, visited, query)
    changed = visit.callbacks(items, KEY, version)
    maps.draw(items, layouts.maps, colours, version=version, key=KEY, changed=changed, **sent)
    controls.actions(run, subject, layouts, visited)
    controls.about(subject, layouts)
    outliers.draw(subject, visited, KEY)
    presenting.say(controls.SAY)


st.title("Embeddings")
glossary.paragraph(
    "Images that the model considers similar lie side by side. Compare its [embeddings](embedding) before and after "
    "[coding](code)."
)
run = runs.finished()
if run is not None:
    explore(run)
