"""Retrieval: ask with any image, see what the codes find, why, how well, and at what cost."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import runs, shell
from transclipped.ui.datasets import collections as collections_list
from transclipped.ui.datasets import run_offer
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import ask, controls, hits
from transclipped.ui.retrieval.query import place


@guarded
def page(run) -> None:
    how, name, top = controls.options(run)
    left, right = st.columns([1, 3], gap="medium")
    with right:
        where = controls.opened(run, name)
    with left:  # stays beside whatever goes wrong on the right
        asks = ask.draw(where or place(run, None), how)
    if asks is None:
        right.info(ask.WAITING[how])
    elif where is not None:
        with right:
            if where.is_own:
                run_offer.hint(run, (part.image() for part in asks.parts if part.identity is None))
            found, mask = hits.draw(where, asks, top)
        st.divider()
        hits.below(where, asks, found, mask, top)


st.title("Retrieval")
st.caption("An image asks; the database answers from codes of a few bytes.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
    with shell.aside("collections"), st.expander("Collections of your own images", icon=":material/folder_special:"):
        collections_list.draw()
