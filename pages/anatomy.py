"""Anatomy of a code: one image's way through the network, step by step, to the bytes that are searched."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import cached, runs, shell
from transclipped.ui.anatomy import attention, codewords, embedding, patches, score
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import subject as followed
from transclipped.ui.anatomy.headings import STEPS
from transclipped.ui.components import steps as walk
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain


@guarded
def page(run) -> None:
    searcher = cached.engine(run.fingerprint, run)
    stored = searcher.stored
    with shell.aside("picture"):
        subject = followed.choose(run, searcher)
        step = walk.choose(STEPS)
    if subject is None:
        return
    seen, projected, why = anatomy_cached.through_network(run, subject)
    unit = anatomy_cached.sub_vectors(run, stored.codebooks, subject)
    if why:
        st.warning(f"The network cannot be looked into, so steps 2 and 3 are left out: {plain(why)}")
    if unit is None:
        st.info("Without it, your image has no code. Follow one of the run's own instead.")
        return
    parts = [
        lambda: patches.draw(run, subject, seen),
        (lambda: attention.draw(run, subject, seen)) if seen is not None else None,
        (lambda: embedding.draw(run, seen, projected)) if seen is not None else None,
        lambda: embedding.sub_vectors(run, unit, projected),
        lambda: codewords.draw(run, stored, unit),
        lambda: codewords.code_bytes(stored, unit),
        lambda: score.draw(run, searcher, subject, unit),
    ]
    for place, draw in enumerate(parts[:step], 1):
        if place == step:
            walk.here(STEPS, step)
        if draw is not None:
            st.divider()
            draw()
    st.divider()
    walk.buttons(STEPS, step)


st.title("Anatomy of a code")
st.caption("Follow one image through the network: from its pixels to a few bytes, and to the score of a hit.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
