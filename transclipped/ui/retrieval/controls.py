"""How to ask, where to search, and for how many hits."""

from __future__ import annotations

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui import access, collection_links, links, shell
from transclipped.ui.retrieval import address, collections
from transclipped.ui.retrieval.query import place
from transclipped.ui.text import plain

UPLOAD, CAMERA = "upload", "camera"
ASK = {address.SET: "data set", UPLOAD: "upload", CAMERA: "camera"}
TOPS = (12, 24, 48, 96)


def options(run) -> tuple[str, str, int]:
    """Kind of query, name of the place to search, and number of hits."""
    known, others = collections.known(run), collections.others(run)
    collections.shorten(known)
    said = collection_links.said(collections.texts(known, None, others))
    left, right = st.columns([1, 1.6], gap="medium", vertical_alignment="bottom")
    how = links.choose(
        left.segmented_control, "Ask with", ASK, key="how", default=address.SET, required=True,
        help="An image of the run's data set, your own images (chosen, dropped or pasted), or the camera's.",
    )  # fmt: skip
    with right, shell.aside("retrieval"), st.container(horizontal=True, vertical_alignment="bottom"):
        there = links.choose(
            st.selectbox, "Search in", collections.texts(known, said, others), key=collection_links.KEY,
            default=collections.OWN, accept_new_options=access.may(),
            help="Or a collection of your own images, which Data sets makes from a folder.",
        )  # fmt: skip
        top = st.selectbox("Hits", TOPS, 1, key="top", bind="query-params", width=100, help="How many are shown.")
    collection_links.offer()
    return how, there.strip(), top or TOPS[1]


def opened(run, name: str):
    """The place to search; None, with the reason and a remedy on the page, where it cannot be opened."""
    known, others = collections.known(run), collections.others(run)
    if name not in known and name in others:
        collections.offer_run(others[name], run)
        return None
    try:
        return place(run, collection_links.folder(known, name))
    except InputError as error:
        if not name:
            raise
        st.error(plain(error))
        collections.search_own()
        return None
