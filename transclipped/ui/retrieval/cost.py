"""What searching codes costs, and relevance feedback: two more parts of the Retrieval page."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.retrieval import speed
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.reranking import rocchio as feedback
from transclipped.ui.components import gallery
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import cached as found
from transclipped.ui.retrieval.query import Place, Question, tiles
from transclipped.ui.retrieval.sections import LABELS, share
from transclipped.ui.text import plain

ROCCHIO = (
    f"Rocchio 1971: the query moves by {feedback.BETA} towards the mean of the good ones and by {feedback.GAMMA} away "
    "from the mean of the bad ones, by their codes; each sub-vector then gets length 1 again."
)


@st.fragment
@guarded
def cost(where: Place) -> None:
    """Bytes and, once asked for, times of codes beside those of floats."""
    st.caption(
        f"What it takes to keep and to search {where.engine.index.n:,} images as codes, and as the numbers before "
        "coding."
    )
    sizes = speed.sizes(where.engine.index)
    one, two, three = st.columns(3)
    one.metric("Codes and codebooks", size(sizes.codes + sizes.codebooks), help="All that search needs in memory.")
    two.metric("The same as floats", size(sizes.floats), help="Four bytes a number.")
    three.metric("Floats are larger by", f"{sizes.ratio:.1f}×")
    m, _, d = where.engine.stored.codebooks.shape
    st.caption(
        f"An image: {m} byte{'s'[: m > 1]} against {4 * m * d}. The codebooks take {size(sizes.codebooks)} once, "
        "however many images there are."
    )
    if not len(where.own.stored.queries):
        st.info(f"{plain(where.run.name)} stores no queries to time.")
        return
    if st.button("Time both searches on this machine", icon=":material/timer:", key="timing"):
        st.session_state["takes"] = st.session_state.get("takes", 0) + 1
    if take := st.session_state.get("takes"):
        timed(where, take)


def timed(where: Place, take: int) -> None:
    """Median times of both searches, measured for the `take`-th time."""
    found_times = found.times(where.key, take, where.engine, where.own.stored.queries)
    one, two, three = st.columns(3)
    one.metric("A query by codes", milliseconds(found_times.codes))
    two.metric("A query by floats", milliseconds(found_times.floats))
    three.metric("Floats take", f"{found_times.ratio:.1f}× as long")
    st.caption(
        f"Median of {speed.TIMED - speed.WARMING} queries, one at a time, that ask for the {found_times.k} best; both "
        "searches are exact and look at every image. Embedding the query comes on top, and is the same for both."
    )


def size(n: int) -> str:
    """Bytes for people."""
    return f"{n / 1e6:,.1f} MB" if n >= 1e6 else f"{n / 1e3:,.1f} kB"


def milliseconds(seconds: float) -> str:
    """A duration for people."""
    return f"{1000 * seconds:.2f} ms"


@st.fragment
@guarded
def teach(where: Place, question: Question, mask: np.ndarray | None, top: int) -> None:
    """Hits to be marked good or bad, and the ranking that comes of the marks."""
    st.caption(
        "Say which hits are good and which are bad, then search again: the question learns what you mean, by two "
        f"clicks and no training. {LABELS}",
        help=ROCCHIO,
    )
    about = (where.key, question.key)
    if st.session_state.get("taught", {}).get("about") != about:
        st.session_state["taught"] = {"about": about, "marks": {}, "used": {}}
    taught = st.session_state["taught"]
    first = where.engine.search(question.embedding, top=top)
    hits = where.engine.search(moved(where, question, taught["used"]), top=top) if taught["used"] else first
    controls(taught)
    if taught["used"] and mask is not None:
        st.caption(f"Before: {share(first, mask)} After: {share(hits, mask)}")
    elif mask is not None:
        st.caption(share(hits, mask))

    def mark(name: str, value: int) -> None:
        taught["marks"] = {k: v for k, v in {**taught["marks"], name: value}.items() if v}

    marks = taught["marks"]
    gallery.draw(tiles(where, hits, mask, mark=lambda hit: marks.get(str(hit.id), 0)), key="taught-hits", on_mark=mark)


def controls(taught: dict) -> None:
    """Buttons that search again by the marks or forget them, and how many there are."""
    good, bad = (sum(value == sign for value in taught["marks"].values()) for sign in (1, -1))

    def again() -> None:
        taught["used"] = dict(taught["marks"])

    def forget() -> None:
        taught["marks"], taught["used"] = {}, {}

    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Search again", type="primary", icon=":material/refresh:", key="again", on_click=again,
            disabled=taught["marks"] == taught["used"],
        )  # fmt: skip
        st.button("Forget the marks", key="forget", on_click=forget, disabled=not (taught["marks"] or taught["used"]))
        st.caption(f"{good} good, {bad} bad.", width="content")


def moved(where: Place, question: Question, marks: dict[str, int]) -> np.ndarray:
    """The query after feedback."""
    stored = where.engine.stored
    names = stored.database_ids.astype(str)
    vectors = {
        sign: decode(stored.codebooks, stored.codes[np.isin(names, [k for k, v in marks.items() if v == sign])])
        for sign in (1, -1)
    }
    return feedback.rocchio(question.embedding, vectors[1], vectors[-1], codebooks=len(stored.codebooks))
