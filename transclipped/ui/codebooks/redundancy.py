"""Whether codewords, or whole codebooks, say the same."""

from __future__ import annotations

import streamlit as st

from transclipped.ui import charts
from transclipped.ui.codebooks import cached as codebook_cached
from transclipped.ui.codebooks import charts as drawn
from transclipped.ui.codebooks.columns import codebook, having, side_by_side
from transclipped.ui.guard import guarded
from transclipped.ui.text import plain


@st.fragment
@guarded
def codewords(shown: list) -> None:
    """Cosines between the codewords of one codebook, now or after any epoch."""
    st.subheader("Do codewords say the same?")
    m = codebook(shown)
    st.caption(
        f"Cosines between the codewords of codebook {m + 1}, similar ones side by side. Red off the diagonal: "
        "codewords that say nearly the same."
    )
    for _, run in having(shown, m):
        kept = [*run.epochs(), None]
        epoch = st.select_slider(
            "Epoch", kept, None, format_func=lambda epoch: "kept" if epoch is None else str(epoch),
            key=f"epoch {run.name}", help="Each epoch's codebooks were kept; the last choice is the model in use.",
        ) if len(kept) > 1 else None  # fmt: skip
        cosines, order = codebook_cached.similarity(run.fingerprint, m, epoch, run)
        figure = drawn.similarity(cosines, order, key=f"cosines {run.name}")
        charts.show(figure, key=f"cosines {run.name}", name=f"{run.name}-codebook-{m + 1}-cosines")


@guarded
def codebook_pairs(shown: list) -> None:
    """Bits that one codebook tells about another."""
    st.subheader("Do codebooks repeat each other?")
    st.caption(
        "Bits that one codebook tells about another (mutual information), beyond what shuffled codes of the same "
        "usage give. 0: they complement each other."
    )
    dependences = [codebook_cached.dependence(run.fingerprint, run) for run in shown]
    top = max(each.largest("excess") for each in dependences)
    for run, each in zip(side_by_side(shown), dependences, strict=True):
        if len(each.plain) < 2:
            st.info(f"{plain(run.name)} has a single codebook; there is none to compare it with.")
            continue
        figure = drawn.dependence(each.excess, top=top, key=f"dependence {run.name}")
        charts.show(figure, key=f"dependence {run.name}", name=f"{run.name}-dependence")
        st.caption(
            f"Not corrected, the largest is {each.largest('plain'):.2f} bits; shuffled codes, independent by "
            f"construction, reach {each.largest('shuffled'):.2f} by chance."
        )
