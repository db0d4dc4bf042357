"""Overview: the idea with one image of the run, the run's results, and links to the other pages."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import cached, glossary, headline, presenting, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.overview import sections
from transclipped.ui.text import plain


@shows_input_errors
def page(run) -> None:
    stored = cached.arrays(run)
    if not len(stored.queries):
        st.info(f"{plain(run.name)} stores no queries, so there is no image to follow.")
        headline.draw()
        sections.results(run)
        return
    query = sections.query_number(run)
    images = cached.images(cached.run_data(run))
    image = images.image(images.row_of(stored.query_ids[query].item()))
    sections.idea(run, query, image)
    sections.path_to_code(run, query, image)
    sections.results(run)
    sections.next_pages(run, query, image)


st.title("TransClipped")
st.markdown("**Find similar images by a few bytes each, and stop pushing look-alikes apart.**")
glossary.paragraph(
    "A small [head] learns [codes](code) on a [backbone] whose parts were trained on ImageNet and its labels. No label "
    "of the images here takes part: labels only measure and explain."
)
run = runs.finished()
if run is not None:
    page(run)
else:
    headline.draw()
sections.machine()
sections.guarantees()
presenting.say(
    "Training pushes all other images away, also those that show the same thing. Clipping leaves out the most similar "
    "ones, and retrieval gains."
)
