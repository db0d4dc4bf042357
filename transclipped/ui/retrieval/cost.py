"""A section of the Retrieval page: size and speed of searching codes."""

from __future__ import annotations

import streamlit as st

from transclipped.retrieval import speed
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.quantities import size
from transclipped.ui.retrieval import cached
from transclipped.ui.retrieval.query import SearchTarget
from transclipped.ui.text import plain


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
