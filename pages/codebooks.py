"""Codebooks: how evenly codewords are used, what each stands for, and what coding costs."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.codebooks import codeword, columns, cost, redundancy, usage
from transclipped.ui.guard import guarded

USE, WORD, ALIKE, PAIRS, COST = "use", "word", "alike", "pairs", "cost"
SECTIONS = {
    USE: "Even use",
    WORD: "One codeword",
    ALIKE: "Alike codewords",
    PAIRS: "Overlap",
    COST: "Coding cost",
}
LOOKS_INSIDE = ("codebook", "codeword", "codeword2")  # names in the address


@guarded
def page(run) -> None:
    part = links.section(SECTIONS, opened_by=dict.fromkeys(LOOKS_INSIDE, WORD))
    shown = columns.compared(run)
    if part == USE:
        usage.evenness(shown)
        usage.training(shown)
    else:
        draw = {WORD: codeword.draw, ALIKE: redundancy.codewords, PAIRS: redundancy.codebook_pairs, COST: cost.draw}
        draw[part](shown)


st.title("Codebooks")
st.caption("A code is one codeword from each codebook. See how they share the work, and what each has come to mean.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
