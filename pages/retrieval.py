"""Retrieval: search with any image; see the hits, why each was found, how good they are, and the cost of search."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import runs, shell
from transclipped.ui.datasets import collections as collections_list
from transclipped.ui.datasets import run_offer
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import controls, hits
from transclipped.ui.retrieval.query import target as target_of


@shows_input_errors
def page(run) -> None:
    how, name, top = controls.options(run)
    left, right = st.columns([1, 3], gap="medium")
    with right:
        target = controls.open_target(run, name)
    with left:  # stays visible whatever fails on the right
        query = controls.draw(target or target_of(run, None), how)
    if query is None:
        right.info(controls.WAITING[how])
    elif target is not None:
        with right:
            if not target.is_collection:
                run_offer.hint(run, (image.image() for image in query.images if image.identity is None))
            ranked, mask = hits.draw(target, query, top)
        st.divider()
        hits.below(target, query, ranked, mask, top)


st.title("Retrieval")
st.caption("Search with an image; the database is stored as codes of a few bytes.")
run = runs.finished()
if run is not None:
    page(run)
    with shell.aside("collections"), st.expander("Collections of your images", icon=":material/folder_special:"):
        collections_list.draw()
