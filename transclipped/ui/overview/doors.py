"""Three ways on from Overview, each with a small drawing of the run's own numbers."""

from __future__ import annotations

import streamlit as st

from transclipped.ui import cached, quantities, shell
from transclipped.ui.overview import cached as overview_cached
from transclipped.ui.overview import story

HITS = 5


def draw(run, query: int, image) -> None:
    """To Retrieval, Clipping and Train."""
    st.subheader("Where to go")
    one, two, three = st.columns(3)
    hits = overview_cached.found(run.fingerprint, query, HITS, run)
    right = sum(relevant is True for _, relevant in hits)
    known = f"{right} of its first {len(hits)} hits are of its class." if hits[0][1] is not None else "Its first hits."
    _door(
        one, "retrieval", "See it retrieve", "image_search", story.hits(image, hits, scale=shell.scale()),
        f"The image above asks. {known}", query=str(query),
    )  # fmt: skip
    pairs = overview_cached.pairs(run.fingerprint, run)
    text = "How similar pairs of images are; right of the line lie the most similar 5%."
    if pairs.share is not None and pairs.top_share is not None:
        whole = quantities.share(round(pairs.share * pairs.n_pairs), pairs.n_pairs)
        top = quantities.share(round(pairs.top_share * pairs.n_top), pairs.n_top)
        text = (
            f"Of all pairs {whole} are of one class (blue; orange: of different ones); of the most similar "
            f"5%, right of the line, {top}."
        )
        text += " So the most similar negatives are the most likely false: clipping leaves them out." * pairs.tells
    _door(two, "clipping", "Tune the clipping", "content_cut", story.histogram(pairs), text)
    losses = overview_cached.losses(run.fingerprint, run)
    seconds = cached.metrics(run).get("seconds", {}).get("training")
    took = "" if seconds is None else f" in {quantities.duration(seconds)} of training"
    text = f"How this run's loss fell{took}."
    _door(three, "train", "Train your own", "model_training", story.sparkline(losses), text)


def _door(column, page: str, label: str, icon: str, drawing: str, text: str, **query: str) -> None:
    with column.container(border=True, height="stretch", vertical_alignment="distribute"):
        st.html(story.STYLE + drawing)
        st.caption(text)
        st.page_link(f"pages/{page}.py", label=f"**{label}**", icon=f":material/{icon}:", query_params=query)
