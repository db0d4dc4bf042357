"""Anatomy of a code: how an image becomes the bytes that are searched, step by step."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import cached, glossary, presenting, runs
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import code, network, subject
from transclipped.ui.anatomy.html import SAID, STEPS
from transclipped.ui.components import steps
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain


@shows_input_errors
def page(run) -> None:
    searcher = cached.engine(run.fingerprint, run)
    stored = searcher.stored
    with presenting.controls("Image and steps"):
        image = subject.choose(run, searcher)
        last = steps.choose(STEPS)
    if image is None:
        return
    view, projected, problem = anatomy_cached.through_network(run, image)
    unit = anatomy_cached.sub_vectors(run, stored.codebooks, image)
    if problem:
        st.warning(f"The network is unavailable, so steps 2 and 3 are omitted: {plain(problem)}")
    if unit is None:
        st.info("Without the network, your image has no code. Follow one of the run's images instead.")
        return
    sections = [
        lambda: network.patches(run, image, view),
        (lambda: network.attention(run, image, view)) if view is not None else None,
        (lambda: network.embedding(run, view, projected)) if view is not None else None,
        lambda: code.sub_vectors(run, unit, projected),
        lambda: code.codewords(run, stored, unit),
        lambda: code.code_bytes(stored, unit),
        lambda: code.score(run, searcher, image, unit),
    ]
    for step, draw in enumerate(sections[:last], 1):
        if step == last:
            steps.here(STEPS, last)
        if draw is not None:
            if step > 1:
                st.divider()
            draw()
    st.divider()
    steps.buttons(STEPS, last)
    if last < len(STEPS):  # the last step says its own
        presenting.say(SAID[last - 1])


st.title("Anatomy of a code")
glossary.paragraph("Follow one image through the network: from its pixels to a few bytes, and to the score of a [hit].")
if (selected := runs.finished()) is not None:
    page(selected)
