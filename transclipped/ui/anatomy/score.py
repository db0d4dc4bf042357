"""Step 7: a hit's score as the sum of the numbers that its code picks from the query's tables."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.retrieval.coding import product
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import html
from transclipped.ui.anatomy.embedding import numbers
from transclipped.ui.anatomy.headings import heading
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain

DEEPEST = 1000  # rank of a hit


@st.fragment
@guarded
def draw(run, searcher, subject, unit) -> None:
    """The choice of a hit, its score, and the tables `[M, K]` that give it."""
    m, k, _ = searcher.stored.codebooks.shape
    heading(7, f"The image asks: {m} tables say what every codeword would add. A hit's code picks **{m} numbers**.")
    deepest = min(DEEPEST, searcher.index.n)
    if not 1 <= st.session_state.get("hit", 1) <= deepest:  # a link to a larger database
        st.session_state["hit"] = 1
    rank = int(st.number_input(
        "Rank of the hit", 1, deepest, key="hit", bind="query-params", width=160,
        help="1 is the most similar image of the database. Try a far one: its code picks smaller numbers.",
    ))  # fmt: skip
    hit = searcher.search(unit.ravel(), top=rank)[-1]
    code, tables = searcher.index.codes[hit.row], anatomy.tables(unit, searcher.stored.codebooks)
    picked = product.picked(tables, code)
    data = cached.run_data(run)
    spelled = " ".join(number[1] for number in anatomy.spelled(code, k))
    st.html(
        html.pair(
            anatomy_cached.portrait(data, subject.key, subject),
            anatomy_cached.hit(data, cached.images(data).row_of(hit.id)),
            crisp=anatomy_cached.crisp(data),
        )
    )
    labels = f": {plain(', '.join(hit.labels))}" if hit.labels else ""
    st.caption(f"The image, and hit {rank}{labels}, code {spelled}.")
    st.html(html.total(picked.tolist(), float(picked.sum())))
    st.markdown(f"Search returns **{hit.score:.3f}**, the same sum. A square marks the number that each table gives.")
    names = [f"table {i}" for i in range(1, m + 1)]
    most = float(np.abs(tables).max(initial=1e-6))
    numbers(run, tables, names, what="codeword", key="tables", height=2.75, limit=most, picked=code)
    if subject.address:
        st.page_link(
            "pages/retrieval.py", label="See what else it finds", icon=":material/image_search:",
            query_params=dict(subject.address),  # `run` is the sidebar's, so it must not be among them
        )  # fmt: skip
