"""Overview: what this is, how good the chosen run is, and where to go."""

import streamlit as st

from transclipped.ui import runs
from transclipped.ui.guard import guarded

STEPS = (
    ("Picture", "A picture nobody has labelled."),
    ("Patches", "A network looks at it patch by patch."),
    ("Embedding", "What it sees becomes a list of numbers; similar pictures get similar lists."),
    ("Sub-vectors", "The list is cut into M pieces of unit length."),
    ("Codewords", "Each piece is replaced by its nearest of 256 learned codewords."),
    ("Code", "M bytes are all that the database stores."),
)


@guarded
def key_figures(run) -> None:
    metrics = run.metrics()
    found = metrics["modes"].get("asymmetric", {})
    config = run.config
    columns = st.columns(4)
    if found.get("map") is not None:
        columns[0].metric(
            f"mAP@{metrics['k']}", f"{found['map']:.3f}",
            help="Mean over queries of the average precision among the first K hits; 1 is perfect.",
        )  # fmt: skip
    columns[1].metric("Database", f"{metrics['n_database']:,} pictures")
    columns[2].metric("Code", f"{metrics['bytes_per_item']} bytes", help="What is stored of each picture.")
    columns[3].metric("Clipping", config.clipping.rule, help="The rule that leaves out likely false negatives.")


st.title("Unsupervised image retrieval, with false negatives clipped")
st.markdown(
    "A network learns to find similar pictures **without a single label**: two views of one picture attract, "
    "different pictures repel. But some of those *negatives* show the same thing, and pushing them apart hurts. "
    "**Clipping** leaves the most similar negatives out, since they are probably false."
)
st.caption("From a picture to its code:")
for column, (name, text) in zip(st.columns(len(STEPS)), STEPS, strict=True):
    with column.container(border=True, height="stretch"):
        st.markdown(f"**{name}**")
        st.caption(text)

st.subheader("The chosen run")
run = runs.finished()
if run is not None:
    key_figures(run)

st.subheader("Where to go")
doors = st.columns(3)
doors[0].page_link("pages/retrieval.py", label="See it retrieve", icon=":material/image_search:")
doors[1].page_link("pages/clipping.py", label="See what clipping clips", icon=":material/content_cut:")
doors[2].page_link("pages/train.py", label="Train your own", icon=":material/model_training:")
