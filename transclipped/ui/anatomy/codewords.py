"""Steps 5 and 6: the codewords nearest to each sub-vector, and the bytes that they are stored as."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import anatomy
from transclipped.ui import cached
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy import html
from transclipped.ui.anatomy.headings import heading
from transclipped.ui.guard import guarded

ALPHA = (
    "Training mixes codewords by softmax(α · cosine). A large α decides, a small one hesitates. "
    "The stored code takes the nearest codeword ★, whatever α is."
)


@st.fragment
@guarded
def draw(run, stored, unit) -> None:
    """The likeliest codewords of each codebook at a sharpness α, for sub-vectors `[M, d]`."""
    k = stored.codebooks.shape[1]
    heading(5, f"Each sub-vector is compared with its codebook's **{k} codewords**. The nearest ★ will stand for it.")
    start = anatomy_cached.sharpness(run)
    alpha = st.slider(
        "Sharpness α of the soft assignment", 1.0, anatomy_cached.SHARPEST, start, 1.0, key="alpha",
        bind="query-params", help=ALPHA,
    )  # fmt: skip
    assigned = anatomy.assign(unit, stored.codebooks, alpha)
    code, crisp = anatomy.code_of(unit, stored.codebooks), anatomy_cached.crisp(cached.run_data(run))
    likely = anatomy_cached.likely(assigned)
    cards = []
    for i, faces in enumerate(anatomy_cached.faces(run.fingerprint, likely, run)):
        words = [
            html.Word(word, float(assigned.p[i, word]), images, word == code[i])
            for word, images in zip(likely[i], faces, strict=True)
        ]
        rest, bits = 1 - sum(word.p for word in words), float(assigned.bits[i])
        cards.append(html.candidates(i + 1, words, rest=rest, others=k - len(words), bits=bits, crisp=crisp))
    st.html(html.cards(cards, width=17))
    st.caption(
        "Bits: entropy of the soft assignment, 0 if one codeword has it all, "
        f"{np.log2(k):.3g} if all {k} share alike. Beside a codeword: database images that have it in their code."
    )


def code_bytes(stored, unit) -> None:
    """The code, byte by byte."""
    m, k, d = stored.codebooks.shape
    heading(6, f"The numbers of the nearest codewords are the code: **{m} byte{'s'[: m > 1]}** for the whole image.")
    spelled = anatomy.spelled(anatomy.code_of(unit, stored.codebooks), k)
    st.html(html.cards([html.byte(i, *number) for i, number in enumerate(spelled, 1)], width=11.5))
    n = len(stored.codes)
    st.caption(
        f"The {m * d} numbers before coding take {4 * m * d} bytes. All {n:,} images of the database fit into "
        f"{n * m / 1000:,.0f} kB of codes."
    )
