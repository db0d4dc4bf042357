"""A sample of a data set's images, and the one that was clicked, larger."""

from __future__ import annotations

import streamlit as st

from transclipped.analysis import image_sets
from transclipped.datasets.folder import Folder
from transclipped.ui.components import gallery
from transclipped.ui.datasets import cached
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

SAMPLES = 24
ALL = "all images"
LABELS = "Labels are for looking and measuring only; training never sees them."


@st.fragment
@guarded
def draw(images) -> None:
    """Images drawn at random, of all labels or of one."""
    st.subheader("What does it look like?")
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    names = [ALL, *sorted(images.class_names)]
    if st.session_state.get("only") not in names:  # a link to another set's label
        st.session_state.pop("only", None)
    only = left.selectbox("Show", names, key="only", bind="query-params")
    if right.button("Other images", icon=":material/shuffle:", width="stretch"):
        st.session_state["page"] = st.session_state.get("page", 0) + 1
    label = None if only == ALL else only
    rows = image_sets.sample(images, SAMPLES, label=label, page=st.session_state.get("page", 0))
    total = len(image_sets.rows_with(images, label))
    st.caption(f"{len(rows)} of {total:,} images, drawn at random. Click one to see it larger. {LABELS}")
    tiles = [
        gallery.Tile(
            id=f"{images.fingerprint} {row}", image=cached.image(images.fingerprint, row, images),
            caption=", ".join(image_sets.labels_of(images, row)[:4]), title=str(images.ids[row]),
        )
        for row in rows.tolist()
    ]  # fmt: skip
    gallery.draw(tiles, key="samples", on_click=_look_at, hint="Click to see it larger.")
    _closer(images)


def _closer(images) -> None:
    """The clicked image, its labels, and its path to copy."""
    fingerprint, _, row = st.session_state.get("closer", "").rpartition(" ")
    if fingerprint != images.fingerprint:
        return
    row = int(row)
    with st.container(border=True):
        left, right = st.columns([1, 2])
        left.image(cached.image(images.fingerprint, row, images).file, width="stretch")
        right.markdown(f"**{plain(', '.join(image_sets.labels_of(images, row)) or 'no label')}**")
        where = str(images.path(row)) if isinstance(images, Folder) else f"{images.name} {images.ids[row]}"
        right.code(where, language=None, wrap_lines=True)


def _look_at(tile: str) -> None:
    st.session_state["closer"] = tile
