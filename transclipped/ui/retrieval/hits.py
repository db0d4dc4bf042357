"""The ranked hits of a question, and below them why, how else, how well and at what cost."""

from __future__ import annotations

from functools import partial

import streamlit as st

from transclipped.ui import links
from transclipped.ui.components import gallery
from transclipped.ui.retrieval import address, cost, sections
from transclipped.ui.retrieval.query import relevant, tiles
from transclipped.ui.retrieval.why import why

SECTIONS = {
    "why": "Why this hit",
    "searches": "Three searches",
    "lengths": "Code lengths",
    "quality": "How good",
    "extremes": "Hardest and easiest",
    "cost": "Size and speed",
    "teach": "Teach it",
}


def draw(where, asks, top: int) -> tuple[list, object]:
    """The ranked grid; hits, and what is relevant."""
    hits = sections.itself_first(where.engine.search(asks.embedding, top=top), asks.names(where))
    mask = relevant(where.engine, asks.labels)
    how_many = f"The {len(hits)} most similar of {where.engine.index.n:,} images"
    frames = (
        " Solid blue ✓: shares a class with the query. Dashed orange ✗: does not. "
        + sections.share(hits, mask, asking=asks.names(where)) if mask is not None else ""
    )  # fmt: skip
    codes = where.engine.index.codes
    st.caption(
        f"{how_many}, judged by {codes.shape[1]} bytes each.{frames} {sections.ties(hits, codes)} "
        "Click one to ask with it.",
        help=f"Below an image: its rank, class and score, a mean of cosines in [-1, 1]. {sections.LABELS}",
    )
    gallery.draw(
        tiles(where, hits, mask), key="hits", on_click=partial(address.ask, where), hint="Click to ask with it."
    )
    return hits, mask


def below(where, asks, hits, mask, top: int) -> None:
    """The choice of a section, and that section; no other is computed."""
    parts = {
        "why": lambda: why(where, asks, hits, mask),
        "searches": lambda: sections.searches(where, asks, mask),
        "lengths": lambda: sections.lengths(where, asks),
        "quality": lambda: sections.quality(where, asks, mask),
        "extremes": lambda: sections.extremes(where, asks),
        "cost": lambda: cost.cost(where),
        "teach": lambda: cost.teach(where, asks, mask, top),
    }
    parts[links.section(SECTIONS)]()
