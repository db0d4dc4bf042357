"""Codebooks: how evenly codewords are used, what each stands for, and what coding costs."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.codebooks import codeword, sections
from transclipped.ui.guard import shows_input_errors

SECTIONS = {
    "use": "Usage",
    "word": "One codeword",
    "alike": "Codeword similarity",
    "pairs": "Codebook dependence",
    "cost": "Coding cost",
}
OPENED_BY = dict.fromkeys(("codebook", "codeword", "codeword2"), "word")


@shows_input_errors
def page(run) -> None:
    section = links.section(SECTIONS, opened_by=OPENED_BY)
    pair = sections.compared(run)
    draw = {"word": codeword.draw, "alike": sections.similarity, "pairs": sections.dependence, "cost": sections.cost}
    draw.get(section, sections.usage)(pair)
    if section == "use":
        sections.training(pair)


st.title("Codebooks")
st.caption("A code has one codeword from each codebook. See how evenly they are used and what each stands for.")
if (selected := runs.finished()) is not None:
    page(selected)
