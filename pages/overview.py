"""Overview: the idea with one image of the run, the run's results, and links to the other pages."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import cached, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.overview import sections
from transclipped.ui.text import plain


@shows_input_errors
def page(run) -> None:
    stored = cached.arrays(run)
    if not len(stored.queries):
        st.info(f"{plain(run.name)} stores no queries, so there is no image to follow.")
        sections.results(run)
        return
    query = sections.query_number(run)
    images = cached.images(cached.run_data(run))
    image = images.image(images.row_of(stored.query_ids[query].item()))
    sections.path_to_code(run, query, image)
    sections.results(run)
    sections.next_pages(run, query, image)


st.title("Unsupervised image retrieval, with false negatives clipped")
st.markdown(
    "A network learns to find similar images **without a single label**: two views of one image attract, "
    "different images repel. But some of those *negatives* show the same thing, and pushing them apart hurts. "
    "**Clipping** leaves out the most similar negatives, since they are probably false."
)
run = runs.finished()
if run is not None:
    page(run)
sections.machine()
sections.guarantees()
