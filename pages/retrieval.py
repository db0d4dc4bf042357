"""Retrieval: search with any image; see the hits, why each was found, how good they are, and the cost of search."""

from transclipped.ui import glossary, imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import presenting, runs, shell
from transclipped.ui.datasets import collections as collections_list
from transclipped.ui.datasets import run_offer
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import controls, hits, sayings
from transclipped.ui.retrieval.query import target as target_of


@shows_input_errors
def page(run) -> None:
    above, below = st.container(), st.container()
    front = presenting.folded()  # a class sees the images first
    choices, main = (below, above) if front else (above, below)
    with choices, presenting.controls("Search"):
        how, name, top = controls.options(run)
        more = st.container(horizontal=True, vertical_alignment="bottom")
    section = hits.section(main, run)
    left, right = main.columns(hits.columns(section), gap="medium")
    image, beside = left.container(), left.container()
    with right:
        target = controls.open_target(run, name)
    of = target or target_of(run, None)
    with left.container(horizontal=True, vertical_alignment="bottom") if front else more:
        images, number = controls.images(of, how, more)
    if not images:
        right.info(controls.WAITING[how])
        return
    with image:  # stays visible whatever fails on the right
        controls.draw(of, how, images, size=hits.query_size(section))
    if target is None:
        return
    query = controls.embedded(target, images, number)
    with more:
        ranking = hits.ranked(target, query, top)
    with right:
        if not target.is_collection:
            run_offer.hint(run, (image.image() for image in query.images if image.identity is None))
        hits.draw_section(section, target, query, ranking, top)
    with beside:
        hits.beside(target, ranking, section)
    presenting.say(sayings.sentence(section, target, query, ranking))


st.title("Retrieval")
glossary.caption(controls.ABOUT)
run = runs.finished()
if run is not None:
    page(run)
    with shell.aside("collections"), st.expander("Collections of your images", icon=":material/folder_special:"):
        collections_list.draw()
