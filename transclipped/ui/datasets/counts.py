"""How many images, labels and queries a data set has, and how many images each class."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import image_sets
from transclipped.ui import charts
from transclipped.ui.datasets import charts as drawn
from transclipped.ui.guard import guarded


def figures(images, about: dict) -> None:
    """Sizes of the set and of its parts.

    Args:
        about: as `registry.describe` gives it.
    """
    listed = getattr(images, "listed", len(images))
    shown = (
        ("Images", f"{len(images):,}", f"Of {listed:,} that are listed." if listed else None),
        ("Labels", f"{len(images.class_names):,}" if images.class_names else "none", None),
        ("Queries", f"{about['query']:,}", "Images that ask."),
        ("Database", f"{about['database']:,}", "Images that are searched."),
        ("Training", f"{about['train']:,}", "Images that the contrastive loss sees, unlabelled."),
    )
    with st.container(horizontal=True, gap="medium"):
        for name, value, told_more in shown:
            st.metric(name, value, help=told_more, width="content")
    st.caption(f"Retrieval is measured by mAP@{about['k']:,}: among the first {about['k']:,} hits of each query.")
    if about["uses_labels"]:
        st.caption("This protocol draws its training images by their labels, as the literature does.")


@st.fragment
@guarded
def classes(images, about: dict) -> None:
    """Images of each class."""
    st.subheader("How many of what?")
    st.caption(image_sets.label_sentence(images))
    if images.class_names:
        figure = drawn.class_counts(about["classes"], key=images.fingerprint)
        charts.show(figure, key="counts", name=f"{images.name}-classes")
