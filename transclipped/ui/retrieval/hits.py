"""The hits of a query, as a grid or beside an open section, and the choice of the section."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from transclipped.runs.run import RunDir
from transclipped.search.arrange import DEPTH, Arrangement, arranged
from transclipped.search.searcher import Hit
from transclipped.ui import cached, links, presenting
from transclipped.ui.components import gallery
from transclipped.ui.retrieval import address, cost, feedback, filters, light, queries, sections, why, words
from transclipped.ui.retrieval.query import Query, SearchTarget, relevant, tiles
from transclipped.ui.retrieval.sections import LARGE, MEDIUM, SMALL

HITS, WHY, LIGHT, FEEDBACK, WORDS = "hits", "why", "light", "teach", "words"
SECTIONS = {
    HITS: "Hits",
    WHY: "Why",
    LIGHT: "Same light",
    "searches": "Searches",
    "lengths": "Code lengths",
    "quality": "Quality",
    "extremes": "Hard queries",
    "cost": "Cost",
    WORDS: "Words",
    FEEDBACK: "Feedback",
}
FORMER = {  # texts in old links
    "How good": "quality",
    "Hardest and easiest": "extremes",
    "Teach it": FEEDBACK,
    "Why this hit": WHY,
    "Three searches": "searches",
    "Size and speed": "cost",
}
OPENED_BY = {"hit": WHY, "exposure": LIGHT, "warmth": LIGHT}
GRIDS = (HITS, FEEDBACK)  # sections that are the hits themselves
FRONT = 72  # px of a hit on a projector, times its scale: three times CIFAR-10's
BESIDE = 12  # most hits beside a section
WIDTHS = {True: (1.0, 2.9), False: (1.0, 2.3)}  # of the columns: a grid has more room than a section beside small hits


@dataclass(frozen=True)
class Ranking:
    """The hits to show, all of them relevant or not by `mask` `[N]`, None if unknown; and how they were chosen."""

    hits: list[Hit]
    mask: np.ndarray | None
    how: Arrangement


def section(place: DeltaGenerator, run: RunDir) -> str:
    """Draw the choice of a section; returns its key. Without labels there are no words."""
    labelled = cached.arrays(run).database_labels is not None
    texts = {key: text for key, text in SECTIONS.items() if key != WORDS or labelled}
    with place:
        return links.section(texts, opened_by=OPENED_BY, former=FORMER)


def columns(name: str) -> tuple[float, float]:
    """Relative widths of the left column, which holds the query, and of the right one."""
    return WIDTHS[name in GRIDS]


def query_size(name: str) -> int:
    """Pixels of a single query image: smaller where hits stand below it."""
    return LARGE if name in GRIDS else MEDIUM


def ranked(target: SearchTarget, query: Query, top: int) -> Ranking:
    """The best hits that the visitor's filter lets pass, with the button to change it."""
    mask = relevant(target.searcher, query.labels)
    how = filters.draw(target, judged=mask is not None)
    return Ranking(search(target, query, query.embedding, mask, how, top), mask, how)


def search(
    target: SearchTarget, query: Query, vector: np.ndarray, mask: np.ndarray | None, how: Arrangement, top: int
) -> list[Hit]:
    """Hits of `vector` `[D]`, which may differ from the query's embedding after feedback."""
    depth = max(top, DEPTH) if how.filters else top
    return arranged(target.searcher.search(vector, top=depth, first=query.ids(target)), mask, how, top=top)


def grid(target: SearchTarget, query: Query, ranking: Ranking) -> None:
    """All hits; a click searches with one."""
    hits, mask = ranking.hits, ranking.mask
    codes, n = target.searcher.index.codes, target.searcher.index.n
    frames = "" if mask is None else " Solid blue ✓: shares a class with the query. Dashed orange ✗: does not. "
    which = f"{len(hits)} of the {min(DEPTH, n):,} best" if ranking.how.filters else f"The {len(hits)} most similar"
    about, images = st.container(), st.container()
    if presenting.folded():  # a class sees the images first
        images, about = about, images
    with images:
        size = FRONT if presenting.projector() else gallery.TILE
        click = partial(address.search_with, target)
        gallery.draw(tiles(target, hits, mask), key="hits", size=size, on_click=click, hint=sections.CLICK)
    about.caption(
        f"{which} of {n:,} images, ranked by codes of {codes.shape[1]} bytes.{frames}"
        f"{sections.share(hits, mask, query_ids=query.ids(target))} {sections.ties(hits, codes)} Click one to "
        "search with it.",
        help=f"Below an image: its rank, class and score, a mean of cosines in [-1, 1]. {sections.LABELS}",
    )


def beside(target: SearchTarget, ranking: Ranking, name: str) -> None:
    """The first hits, small, beside the section of this name; a click explains one there or searches with it."""
    if name in GRIDS:
        return
    hits = ranking.hits[:BESIDE] if name != WHY else ranking.hits
    shown = why.position(ranking.hits) if name == WHY else None

    def explain(identity: str) -> None:
        st.session_state[why.KEY] = next(i for i, hit in enumerate(hits, 1) if str(hit.id) == identity)

    click, hint = (explain, why.CLICK) if name == WHY else (partial(address.search_with, target), sections.CLICK)
    st.caption(hint)
    on = hits[shown - 1].id if shown is not None and hits else None
    images = tiles(target, hits, ranking.mask, on=lambda hit: hit.id == on)
    gallery.draw(images, key="hits", size=SMALL, on_click=click, hint=hint)


def draw_section(name: str, target: SearchTarget, query: Query, ranking: Ranking, top: int) -> None:
    """One section; no other is computed."""
    mask = ranking.mask
    draw = {
        HITS: lambda: grid(target, query, ranking),
        WHY: lambda: why.draw(target, query, ranking.hits, mask),
        LIGHT: lambda: light.draw(target, query, mask),
        "searches": lambda: sections.searches(target, query, mask),
        "lengths": lambda: sections.lengths(target, query),
        "quality": lambda: sections.quality(target, query, mask),
        "extremes": lambda: queries.extremes(target, query),
        "cost": lambda: cost.cost(target),
        WORDS: lambda: words.draw(target, query, mask),
        FEEDBACK: lambda: feedback.draw(
            target, query, mask, search=partial(search, target, query, mask=mask, how=ranking.how, top=top)
        ),
    }
    draw[name]()
