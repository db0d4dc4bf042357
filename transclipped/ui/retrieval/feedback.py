"""Relevance feedback: marks on the hits move the query."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.reranking import rocchio
from transclipped.search.searcher import Hit
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval.query import Query, SearchTarget, tiles
from transclipped.ui.retrieval.sections import share

ROCCHIO = (
    f"Rocchio 1971: the query moves by {rocchio.BETA} towards the mean code of the good hits and by {rocchio.GAMMA} "
    "away from that of the bad ones; each sub-vector is then normalised to length 1."
)


@st.fragment
@shows_input_errors
def draw(
    target: SearchTarget, query: Query, mask: np.ndarray | None, *, search: Callable[[np.ndarray], list[Hit]]
) -> None:
    """The hits, each to be marked as good or bad; after *Search again*, those of the moved query.

    Args:
        search: hits of an embedding `[D]`.
    """
    st.caption(
        "Mark hits as good or bad, then search again: the query moves towards the good ones. Nothing is trained.",
        help=ROCCHIO,
    )
    about = (target.key, query.key)
    if st.session_state.get("taught", {}).get("about") != about:
        st.session_state["taught"] = {"about": about, "marks": {}, "used": {}}
    state = st.session_state["taught"]
    first = search(query.embedding)
    hits = search(_moved(target, query, state["used"])) if state["used"] else first
    _buttons(state)
    if state["used"] and mask is not None:
        st.caption(f"Before: {share(first, mask)} After: {share(hits, mask)}")
    elif mask is not None:
        st.caption(share(hits, mask))

    def mark(name: str, value: int) -> None:
        state["marks"] = {k: v for k, v in {**state["marks"], name: value}.items() if v}

    marks = state["marks"]
    marked = tiles(target, hits, mask, mark=lambda hit: marks.get(str(hit.id), 0))
    gallery.draw(marked, key="hits", on_mark=mark)


def _buttons(state: dict) -> None:
    """Search again with the marks, clear them, and their counts."""
    good, bad = (sum(value == sign for value in state["marks"].values()) for sign in (1, -1))
    same, empty = state["marks"] == state["used"], not (state["marks"] or state["used"])
    again, clear = {"used": dict(state["marks"])}, {"marks": {}, "used": {}}
    with st.container(horizontal=True, vertical_alignment="center"):
        look = {"type": "primary", "icon": ":material/refresh:"}
        st.button("Search again", key="again", on_click=state.update, kwargs=again, disabled=same, **look)
        st.button("Clear marks", key="forget", on_click=state.update, kwargs=clear, disabled=empty)
        st.caption(f"{good} good, {bad} bad.", width="content")


def _moved(target: SearchTarget, query: Query, marks: dict[str, int]) -> np.ndarray:
    """The query after feedback."""
    stored = target.searcher.stored
    names, books = stored.database_ids.astype(str), stored.codebooks
    good, bad = (
        decode(books, stored.codes[np.isin(names, [name for name, mark in marks.items() if mark == sign])])
        for sign in (1, -1)
    )
    return rocchio.rocchio(query.embedding, good, bad, codebooks=len(books))
