"""Steps 3 and 4: the embedding, its projection, and the sub-vectors that the projection is cut into."""

from __future__ import annotations

import streamlit as st

from transclipped.ui import charts
from transclipped.ui.anatomy.headings import heading
from transclipped.ui.anatomy.strips import Strips

WRITTEN = 16  # numbers a line, up to which they are written into the cells


def draw(run, seen, projected) -> None:
    """The pooled embedding and its projection."""
    f, (m, d) = len(seen.embedding), projected.raw.shape
    heading(3, f"The places are pooled to one list of **{f:,} numbers**, the embedding. Similar images, similar lists.")
    numbers(run, seen.embedding[None], what="number of the embedding", key="embedding", height=4)
    st.markdown(f"A learned matrix of {m * d} × {f:,} weights projects it to **{m * d} numbers**.")
    numbers(run, projected.raw.reshape(1, -1), what="number after projection", key="raw", height=4)


def sub_vectors(run, unit, projected) -> None:
    """Sub-vectors `[M, d]` of unit length; `projected` is None where the network cannot be looked into."""
    m, d = unit.shape
    heading(4, f"They are cut into **{m} sub-vectors** of {d} numbers, and each is brought to length 1.")
    names = [f"sub-vector {i}" for i in range(1, m + 1)]
    numbers(run, unit, names, what="number", key="parts", height=2.5, limit=1.0, written=d <= WRITTEN)
    if projected is not None:
        lengths = ", ".join(f"{length:.2f}" for length in projected.length)
        st.caption(f"Their lengths were {lengths}. At length 1, every codebook has the same say.")


def numbers(run, values, names=(), *, key: str, **options) -> None:
    """Lines of numbers as colours, and what saves them."""
    strips = Strips(values, names, **options)
    st.html(strips.html())
    name = f"{run.name}-{key}"
    with charts.saving(key):
        charts.offer(strips.svg, key=key, name=name, kind="svg", type="tertiary")
        charts.offer(strips.csv, key=key, name=name, type="tertiary")
