"""Steps 4 to 7: sub-vectors, their codewords, the bytes of the code, and the score of a hit."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.retrieval.coding import product
from transclipped.ui import cached, glossary, links, presenting
from transclipped.ui.anatomy import arithmetic, html, other_codes
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy.strips import draw_numbers
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import plain

WRITTEN = 16  # most numbers per row that are written into the cells
DEEPEST = 1000  # rank of a hit
ALPHA = (
    "Training mixes codewords by softmax(α · cosine): the larger α, the closer to a hard choice. "
    "The stored code takes the nearest codeword ★, whatever α is."
)


def sub_vectors(run, unit, projected) -> None:
    """Step 4: sub-vectors `[M, d]` of unit length; `projected` is None if the network is unavailable."""
    m, d = unit.shape
    parts = "[sub-vectors](sub-vector)"
    html.heading(4, f"The projection is split into **{m}** {parts} of {d} numbers, each scaled to length 1.")
    names = [f"sub-vector {i}" for i in range(1, m + 1)]
    draw_numbers(run, unit, names, what="number", key="parts", height=2.5, limit=1.0, written=d <= WRITTEN)
    if projected is not None:
        lengths = ", ".join(f"{length:.2f}" for length in projected.length)
        st.caption(f"Lengths before scaling: {lengths}. At length 1, every codebook has equal weight.")


@st.fragment
@shows_input_errors
def codewords(run, stored, unit) -> None:
    """Step 5: the most likely codewords of each codebook at a sharpness α, for sub-vectors `[M, d]`."""
    k = stored.codebooks.shape[1]
    html.heading(
        5,
        f"Each sub-vector is compared with the **{k}** [codewords](codeword) of its [codebook]; "
        "the nearest ★ replaces it.",
    )
    options = {"key": "alpha", "bind": "query-params", "help": ALPHA}
    limits = (1.0, anatomy_cached.SHARPEST, anatomy_cached.sharpness(run), 1.0)  # with start and step
    alpha = st.slider("Sharpness α of the soft assignment", *limits, **options)
    assigned = anatomy.assign(unit, stored.codebooks, alpha)
    code, crisp = anatomy.code_of(unit, stored.codebooks), anatomy_cached.crisp(cached.run_data(run))
    likely, cards = anatomy_cached.likely(assigned), []
    all_faces = anatomy_cached.faces(run.fingerprint, likely, run)
    for i, (faces, codebook) in enumerate(zip(all_faces, stored.codebooks, strict=True)):
        words = [
            html.Word(word, float(assigned.p[i, word]), images, word == code[i], *_sums(unit[i], codebook, word, alpha))
            for word, images in zip(likely[i], faces, strict=True)
        ]
        rest, bits = 1 - sum(word.p for word in words), float(assigned.bits[i])
        cards.append(html.candidates(i + 1, words, rest=rest, others=k - len(words), bits=bits, crisp=crisp))
    st.html(html.cards(cards, width=17))
    glossary.caption(
        "Click a [percentage](softmax weight) to see how it is computed. Bits: [entropy] of the soft assignment, "
        f"from 0 (one certain codeword) to {np.log2(k):.3g} (all {k} equally likely). Images: examples from the "
        "database with this codeword."
    )


def _sums(sub_vector, codebook, word: int, alpha: float) -> tuple[str, str]:
    """The arithmetic of a codeword's cosine and softmax weight."""
    parts = anatomy.softmax_weight(sub_vector, codebook, word, alpha)
    return arithmetic.cosine(anatomy.products(sub_vector, codebook[word])), arithmetic.weight(parts, alpha)


def code_bytes(stored, unit) -> None:
    """Step 6: the code, byte by byte."""
    m, k, d = stored.codebooks.shape
    html.heading(
        6,
        f"The numbers of the nearest codewords are the [code]: **{m} byte{'s'[: m > 1]}** for the whole image.",
    )
    spelled = anatomy.spelled(anatomy.code_of(unit, stored.codebooks), k)
    st.html(html.cards([html.byte(i, *number) for i, number in enumerate(spelled, 1)], width=11.5))
    n = len(stored.codes)
    st.caption(
        f"Uncoded, the {m * d} numbers take {4 * m * d} bytes. The codes of all {n:,} database images take "
        f"{n * m / 1000:,.0f} kB."
    )
    options = {"icon": ":material/account_tree:", "query_params": {"section": "hashes"}}
    st.page_link("pages/codebooks.py", label="Other codes of a few bytes: bits and trees", **options)


@st.fragment
@shows_input_errors
def score(run, searcher, subject, unit) -> None:
    """Step 7: a hit and its score, the sum of the numbers that its code picks from the tables `[M, K]`."""
    title = st.container()
    deepest = min(DEEPEST, searcher.index.n)
    if not 1 <= st.session_state.get("hit", 1) <= deepest:  # a link to a larger database
        st.session_state["hit"] = 1
    about = "1 is the most similar database image. The code of a dissimilar one picks smaller numbers."
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"key": "hit", "bind": "query-params", "width": 160, "help": about}
        rank = int(st.number_input("Rank of the hit", 1, deepest, **options))
        options = {"key": "code_by", "default": other_codes.PRODUCT, "required": True, "help": other_codes.HELP}
        by = links.choose(st.segmented_control, "Code by", other_codes.names(searcher.stored.codebooks), **options)
    with title:
        html.heading(7, _compared(by, searcher.stored))
    hit = searcher.search(unit.ravel(), top=rank)[-1]
    code, data = searcher.index.codes[hit.row], cached.run_data(run)
    query_image = anatomy_cached.portrait(data, subject.key, subject)
    hit_image = anatomy_cached.of_row(data, cached.images(data).row_of(hit.id))
    st.html(html.pair(query_image, hit_image, crisp=anatomy_cached.crisp(data)))
    labels = f": {plain(', '.join(hit.labels))}" if hit.labels else ""
    spelled = " ".join(n for _, n, _ in anatomy.spelled(code, searcher.stored.codebooks.shape[1]))
    st.caption(f"The query, and hit {rank}{labels}, code {spelled}.")
    said = html.SAID[-1]
    if by == other_codes.PRODUCT:
        _sum(run, searcher.stored.codebooks, unit, code, hit.score)
    else:
        said = other_codes.draw(run, by, unit, hit.row)
    if subject.address:  # without `run`, which the sidebar adds
        options = {"icon": ":material/image_search:", "query_params": dict(subject.address)}
        st.page_link("pages/retrieval.py", label="See what else it finds", **options)
    presenting.say(said)  # here, since the code is chosen here


def _compared(by: str, stored) -> str:
    if by != other_codes.PRODUCT:
        return other_codes.heading(by, stored)
    m = len(stored.codebooks)
    return (
        f"The [query] gives {m} tables: its [cosine] with each codeword, divided by {m}. The code of a "
        "[hit] picks **one number from each**."
    )


def _sum(run, codebooks, unit, code, score: float) -> None:
    """The terms of a hit's score, and the tables that its code `[M]` picks them from."""
    tables = anatomy.tables(unit, codebooks)
    terms = product.picked(tables, code)
    parts = [_term(*part, len(unit)) for part in zip(terms.tolist(), code.tolist(), unit, codebooks, strict=True)]
    st.html(html.total(parts, float(terms.sum())))
    st.markdown(
        f"Search returns **{score:.3f}**, the same sum. Click a number to see how it is computed; a frame marks it in "
        "its table. All numbers are rounded, so a sum may seem to be off by one in its last digit."
    )
    names, most = [f"table {i}" for i in range(1, len(unit) + 1)], float(np.abs(tables).max(initial=1e-6))
    draw_numbers(run, tables, names, what="codeword", key="tables", height=2.75, limit=most, picked=code)


def _term(value: float, word: int, sub_vector, codebook, m: int) -> html.Term:
    products = anatomy.products(sub_vector, codebook[word])
    return html.Term(value, word, arithmetic.cosine(products), arithmetic.term(float(products.sum()), m))
