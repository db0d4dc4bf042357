"""Two sections of the Retrieval page: size and speed of searching codes, and relevance feedback."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.retrieval import speed
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.reranking import rocchio
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import size
from transclipped.ui.retrieval import cached
from transclipped.ui.retrieval.query import Query, SearchTarget, tiles
from transclipped.ui.retrieval.sections import LABELS, share
from transclipped.ui.text import plain

ROCCHIO = (
    f"Rocchio 1971: the query moves by {rocchio.BETA} towards the mean code of the good hits and by {rocchio.GAMMA} "
    "away from that of the bad ones; each sub-vector is then normalised to length 1."
)


@st.fragment
@shows_input_errors
def cost(target: SearchTarget) -> None:
    """Bytes and, on demand, search times of codes and of floats."""
    index = target.searcher.index
    st.caption(f"The cost of storing and searching {index.n:,} images as codes, and as floats before coding.")
    sizes = speed.sizes(index)
    one, two, three = st.columns(3)
    one.metric("Codes and codebooks", size(sizes.codes + sizes.codebooks), help="All that search needs in memory.")
    two.metric("As floats", size(sizes.floats), help="Four bytes per number.")
    three.metric("Floats are larger by", f"{sizes.ratio:.1f}×")
    m, _, d = target.searcher.stored.codebooks.shape
    st.caption(
        f"Per image: {m} byte{'s'[: m > 1]} instead of {4 * m * d}. The codebooks take {size(sizes.codebooks)} once, "
        "for any number of images."
    )
    if not len(target.run_searcher.stored.queries):
        st.info(f"{plain(target.run.name)} stores no queries to time.")
        return
    if st.button("Time both searches on this machine", icon=":material/timer:", key="timing"):
        st.session_state["takes"] = st.session_state.get("takes", 0) + 1
    if take := st.session_state.get("takes"):
        _times(target, take)


def _times(target: SearchTarget, take: int) -> None:
    """Median times of both searches, measured for the `take`-th time."""
    times = cached.times(target.key, take, target.searcher, target.run_searcher.stored.queries)
    one, two, three = st.columns(3)
    one.metric("A query by codes", f"{1000 * times.codes:.2f} ms")
    two.metric("A query by floats", f"{1000 * times.floats:.2f} ms")
    three.metric("Floats take", f"{times.ratio:.1f}× as long")
    st.caption(
        f"Median of {speed.TIMED - speed.WARMING} queries, one at a time, for the {times.k} best hits; both searches "
        "are exact and scan the whole database. Embedding the query comes on top and is the same for both."
    )


@st.fragment
@shows_input_errors
def teach(target: SearchTarget, query: Query, mask: np.ndarray | None, top: int) -> None:
    """Hits to mark as good or bad, and the ranking after the marks."""
    st.caption(
        "Mark hits as good or bad, then search again: the marks refine the query, without any training. " + LABELS,
        help=ROCCHIO,
    )
    about = (target.key, query.key)
    if st.session_state.get("taught", {}).get("about") != about:
        st.session_state["taught"] = {"about": about, "marks": {}, "used": {}}
    state = st.session_state["taught"]
    first = target.searcher.search(query.embedding, top=top)
    hits = target.searcher.search(_moved(target, query, state["used"]), top=top) if state["used"] else first
    _buttons(state)
    if state["used"] and mask is not None:
        st.caption(f"Before: {share(first, mask)} After: {share(hits, mask)}")
    elif mask is not None:
        st.caption(share(hits, mask))

    def mark(name: str, value: int) -> None:
        state["marks"] = {k: v for k, v in {**state["marks"], name: value}.items() if v}

    marks = state["marks"]
    marked = tiles(target, hits, mask, mark=lambda hit: marks.get(str(hit.id), 0))
    gallery.draw(marked, key="taught-hits", on_mark=mark)


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
