"""The ranked hits of a query, the choice of a section below them, and why a hit was found."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks, report
from transclipped.retrieval.coding.product import encode
from transclipped.search.searcher import Hit
from transclipped.ui import charts, links
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import address, cost, sections
from transclipped.ui.retrieval.charts import score_bar
from transclipped.ui.retrieval.query import Query, SearchTarget, relevant, tiles, unscored_hits
from transclipped.ui.retrieval.sections import LARGE, SMALL

SECTIONS = {
    "why": "Why this hit",
    "searches": "Three searches",
    "lengths": "Code lengths",
    "quality": "How good",
    "extremes": "Hardest and easiest",
    "cost": "Size and speed",
    "teach": "Teach it",
}
EXAMPLES = 6  # images of a codeword


def draw(target: SearchTarget, query: Query, top: int) -> tuple[list[Hit], np.ndarray | None]:
    """The ranked grid; returns the hits and which items are relevant."""
    hits = sections.query_first(target.searcher.search(query.embedding, top=top), query.ids(target))
    mask = relevant(target.searcher, query.labels)
    codes, n = target.searcher.index.codes, target.searcher.index.n
    frames = "" if mask is None else " Solid blue ✓: shares a class with the query. Dashed orange ✗: does not. "
    st.caption(
        f"The {len(hits)} most similar of {n:,} images, ranked by codes of {codes.shape[1]} bytes.{frames}"
        f"{sections.share(hits, mask, query_ids=query.ids(target))} {sections.ties(hits, codes)} Click one to "
        "search with it.",
        help=f"Below an image: its rank, class and score, a mean of cosines in [-1, 1]. {sections.LABELS}",
    )
    click = partial(address.search_with, target)
    gallery.draw(tiles(target, hits, mask), key="hits", on_click=click, hint=sections.CLICK)
    return hits, mask


def below(target: SearchTarget, query: Query, hits: list[Hit], mask: np.ndarray | None, top: int) -> None:
    """The choice of a section, and that section; no other is computed."""
    draw_section = {
        "why": lambda: why(target, query, hits, mask),
        "searches": lambda: sections.searches(target, query, mask),
        "lengths": lambda: sections.lengths(target, query),
        "quality": lambda: sections.quality(target, query, mask),
        "extremes": lambda: sections.extremes(target, query),
        "cost": lambda: cost.cost(target),
        "teach": lambda: cost.teach(target, query, mask, top),
    }
    draw_section[links.section(SECTIONS)]()


@st.fragment
@shows_input_errors
def why(target: SearchTarget, query: Query, hits: list[Hit], mask: np.ndarray | None) -> None:
    """One hit: how its score adds up, and what the codewords of its code represent."""
    if not 1 <= st.session_state.get("hit", 1) <= len(hits):  # a link to a longer list
        st.session_state["hit"] = 1
    left, right = st.columns([1, 3], gap="medium")
    with left:
        rank = st.number_input("Hit", 1, len(hits), key="hit", bind="query-params", help="Rank of the hit.")
        hit = hits[int(rank) - 1]
        gallery.draw(tiles(target, [hit], mask), key="why image", size=LARGE)
        if hit.path:
            st.code(hit.path, language=None, wrap_lines=True)  # to copy
    with right:
        st.caption(
            f"The score {hit.score:.3f} is a sum: each codebook adds the similarity of the query's sub-vector to the "
            "hit's codeword. The orange line marks the most that any codeword of the codebook could add. Below each "
            "bar: other images of the database with the same codeword there."
        )
        codeword_cards(target, query, hit)


def codeword_cards(target: SearchTarget, query: Query, hit: Hit) -> None:
    """A card for each codebook: what it adds to the score, and images that share the hit's codeword."""
    codes, books = target.searcher.index.codes, target.searcher.stored.codebooks
    m, _, d = books.shape
    best = (books @ query.embedding.reshape(m, d, 1))[..., 0].max(1) / m
    query_code = encode(books, query.embedding[None])[0]
    for i in range(m):
        if i % 2 == 0:  # a row of two, so that their order stays where a narrow window stacks them
            columns = st.columns(2)
        word = int(codes[hit.row, i])
        with columns[i % 2], st.container(border=True):
            same = " The query has it too." if query_code[i] == word else ""
            st.markdown(f"**Codebook {i + 1}** · codeword {word} adds **{hit.by_codebook[i]:.3f}**.{same}")
            st.html(score_bar(hit.by_codebook[i], float(best[i]), top=float(best.max())))
            codeword_images(target, i, word, excluding=hit.row)
    columns = ([*range(1, m + 1)], codes[hit.row].tolist(), hit.by_codebook, best.tolist())
    table = dict(zip(("codebook", "codeword", "adds", "most"), columns, strict=True))
    with charts.saving("why"):
        charts.offer(lambda: report.csv(table), key="why", name=f"why-{hit.id}".replace("/", "-"), type="tertiary")


def codeword_images(target: SearchTarget, codebook: int, word: int, *, excluding: int) -> None:
    """Images of the database that have this codeword in a codebook, except in the row `excluding`."""
    rows = codebooks.members(target.searcher.index.codes[:, codebook], word, EXAMPLES + 1)
    rows = rows[rows != excluding][:EXAMPLES]
    if not len(rows):
        st.caption("No other image has it.")
        return
    hits = unscored_hits(target.searcher, rows)
    images = [gallery.Tile(str(h.id), target.preview(h), title=f"image {h.id} {', '.join(h.labels)}") for h in hits]
    sections.clickable(target, images, key=f"standing {codebook}", size=SMALL)
