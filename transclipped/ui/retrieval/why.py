"""Why a hit was found: how its score adds up, and what the codewords of its code represent."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks, report
from transclipped.retrieval.coding.product import encode
from transclipped.search.searcher import Hit
from transclipped.ui import charts
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import address, sections
from transclipped.ui.retrieval.charts import score_bar
from transclipped.ui.retrieval.controls import wide
from transclipped.ui.retrieval.query import Query, SearchTarget, tiles, unscored_hits
from transclipped.ui.retrieval.sections import LARGE, SMALL

KEY = "hit"  # of the widget, and its name in the address: the position among the hits that are shown
ABOUT = "Position among the hits that are shown."
CLICK = "Click a hit to explain it."
EXAMPLES = 6  # images of a codeword
PARTS = {1: "its cosine", 2: "half of its cosine", 4: "a quarter of its cosine", 8: "an eighth of its cosine"}


def position(hits: list[Hit]) -> int:
    """The chosen position, from 1; the first if there are fewer hits."""
    if not 1 <= st.session_state.get(KEY, 1) <= len(hits):  # a link to a longer list
        st.session_state[KEY] = 1
    return int(st.session_state.get(KEY, 1))


@shows_input_errors
def draw(target: SearchTarget, query: Query, hits: list[Hit], mask: np.ndarray | None) -> None:
    """One hit, its score as a sum, and a card for each codebook."""
    if not hits:
        st.info("No hit passes the filter.")
        return
    m = len(target.searcher.stored.codebooks)
    position(hits)
    left, right = st.columns([1, 2.6], gap="medium")
    with right, st.container(horizontal=True, vertical_alignment="bottom"):
        options = {
            "key": KEY,
            "bind": "query-params",
            "width": wide(140),
            "help": "Position among the hits that are shown.",
        }
        hit = hits[int(st.number_input("Hit", 1, len(hits), **options)) - 1]
        click = partial(address.search_with, target, str(hit.id))
        st.button("Search with it", icon=":material/image_search:", key="search with hit", on_click=click)
    with left:
        gallery.draw(tiles(target, [hit], mask), key="why image", size=LARGE)
    with right:
        st.markdown(
            f"The score {hit.score:.3f} is a sum: each codebook adds {part(m)}, the similarity of the query's "
            "sub-vector to the hit's codeword."
        )
        st.caption(
            "The orange line marks the most that any codeword of the codebook could add. Below each bar: other images "
            "of the database with the same codeword there."
        )
        if hit.path:
            st.code(hit.path, language=None, wrap_lines=True)  # to copy
    codeword_cards(target, query, hit)


def part(m: int) -> str:
    """What each of M codebooks adds to a score, in words."""
    return PARTS.get(m, f"1/{m} of its cosine")


def codeword_cards(target: SearchTarget, query: Query, hit: Hit) -> None:
    """A card for each codebook: what it adds to the score, and images that share the hit's codeword."""
    codes, books = target.searcher.index.codes, target.searcher.stored.codebooks
    m, _, d = books.shape
    best = (books @ query.embedding.reshape(m, d, 1))[..., 0].max(1) / m
    query_code = encode(books, query.embedding[None])[0]
    for i in range(m):
        if i % 2 == 0:  # a row of two, so that their order stays where a narrow window stacks them
            columns = st.columns(2)
        word, adds = int(codes[hit.row, i]), hit.by_codebook[i]
        with columns[i % 2], st.container(border=True):
            same = " The query has it too." if query_code[i] == word else ""
            of = f", {part(m).replace('its cosine', 'the cosine')} {adds * m:.3f}" if m > 1 else ""
            st.markdown(f"**Codebook {i + 1}** · codeword {word} adds **{adds:.3f}**{of}.{same}")
            st.html(score_bar(adds, float(best[i]), top=float(best.max())))
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
