"""Overview: what this is, in one real image; how good the chosen run is; and where to go."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import cached, runs
from transclipped.ui.guard import guarded
from transclipped.ui.overview import doors, journey, readiness, results
from transclipped.ui.text import plain


@guarded
def page(run) -> None:
    if not len(cached.arrays(run).queries):
        st.info(f"{plain(run.name)} stores no queries, so there is no image to follow.")
        results.draw(run)
        return
    query = journey.number_of_query(run)
    identity = cached.arrays(run).query_ids[query].item()
    images = cached.images(cached.run_data(run))
    image = images.image(images.row_of(identity))
    journey.draw(run, query, image)
    results.draw(run)
    doors.draw(run, query, image)


st.title("Unsupervised image retrieval, with false negatives clipped")
st.markdown(
    "A network learns to find similar images **without a single label**: two views of one image attract, "
    "different images repel. But some of those *negatives* show the same thing, and pushing them apart hurts. "
    "**Clipping** leaves the most similar negatives out, since they are probably false."
)
chosen = runs.finished()
if chosen is not None:
    page(chosen)
readiness.draw()
readiness.promises()
