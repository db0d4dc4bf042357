"""Why a hit was found: a part of the Retrieval page."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import codebooks, report
from transclipped.retrieval.coding.product import encode
from transclipped.search.searcher import Hit
from transclipped.ui import charts
from transclipped.ui.components import gallery
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import charts as drawn
from transclipped.ui.retrieval.query import Place, Question, tiles
from transclipped.ui.retrieval.sections import clickable

STANDING = 6  # images of a codeword
LARGE, SMALL = 160, 64  # pixels of the hit, and of an image beside others: five times and twice CIFAR-10's


@st.fragment
@guarded
def why(where: Place, question: Question, hits: list[Hit], mask: np.ndarray | None) -> None:
    """One hit: how its score adds up, and what the codewords of its code stand for."""
    if not 1 <= st.session_state.get("hit", 1) <= len(hits):  # a link to a longer list
        st.session_state["hit"] = 1
    left, right = st.columns([1, 3], gap="medium")
    with left:
        rank = st.number_input("Hit", 1, len(hits), key="hit", bind="query-params", help="Its place in the ranking.")
        hit = hits[int(rank) - 1]
        gallery.draw(tiles(where, [hit], mask), key="why image", size=LARGE)
        if hit.path:
            st.code(hit.path, language=None, wrap_lines=True)  # to copy
    with right:
        st.caption(
            f"The score {hit.score:.3f} is a sum: each codebook adds the similarity of the query's sub-vector to the "
            "codeword that the hit has there. The orange line is the most that any codeword of the codebook could have "
            "added. Below: what the hit's codeword stands for, other images of the database that have it there, "
            "whatever the rest of their code says."
        )
        parts(where, question, hit)


def parts(where: Place, question: Question, hit: Hit) -> None:
    """A card for each codebook: what it adds to the score, and what the hit's codeword stands for."""
    codes, books = where.engine.index.codes, where.engine.stored.codebooks
    m, _, d = books.shape
    best = (books @ question.embedding.reshape(m, d, 1))[..., 0].max(1) / m
    own = encode(books, question.embedding[None])[0]
    for i in range(m):
        if i % 2 == 0:  # a row of two, so that their order stays where a narrow window stacks them
            columns = st.columns(2)
        word = int(codes[hit.row, i])
        with columns[i % 2], st.container(border=True):
            same = " It is the query's own." if own[i] == word else ""
            st.markdown(f"**Codebook {i + 1}** · codeword {word} adds **{hit.by_codebook[i]:.3f}**.{same}")
            st.html(drawn.part(hit.by_codebook[i], float(best[i]), top=float(best.max())))
            standing(where, i, word, besides=hit.row)
    sums = {
        "codebook": list(range(1, m + 1)),
        "codeword": codes[hit.row].tolist(),
        "adds": hit.by_codebook,
        "most": best.tolist(),
    }
    with charts.saving("why"):
        charts.offer(lambda: report.csv(sums), key="why", name=f"why-{hit.id}".replace("/", "-"), type="tertiary")


def standing(where: Place, codebook: int, word: int, *, besides: int) -> None:
    """Images of the database that a codebook gives this codeword."""
    books = where.engine.stored.codebooks
    rows = codebooks.members(where.engine.index.codes[:, codebook], word, STANDING + 1)
    rows = rows[rows != besides][:STANDING]
    if not len(rows):
        st.caption("No other image has it.")
        return
    nothing = np.zeros(books.shape[0] * books.shape[2], np.float32)
    hits = where.engine.hits(nothing, rows, np.zeros(len(rows), np.float32))
    shown = [gallery.Tile(str(h.id), where.shown(h), title=f"image {h.id} {', '.join(h.labels)}") for h in hits]
    clickable(where, shown, key=f"standing {codebook}", size=SMALL)
