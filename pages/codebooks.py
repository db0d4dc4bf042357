"""Codebooks: what a codeword stands for, how evenly they are used, how much they share, and what coding costs."""

from transclipped.ui import glossary, imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.codebooks import codeword, hashes, sections
from transclipped.ui.guard import shows_input_errors

SECTIONS = {
    "word": "One codeword",
    "use": "Usage",
    "alike": "Codeword similarity",
    "pairs": "Overlap",
    "cost": "Coding cost",
    "hashes": "Hashes and trees",
}
FORMER = {"Codebook dependence": "pairs"}  # texts in old links
OPENED_BY = {"epochs": "use", "hash": "hashes", "tree": "hashes"}


@shows_input_errors
def page(run) -> None:
    section = links.section(SECTIONS, opened_by=OPENED_BY, former=FORMER)
    if section == "hashes":
        return hashes.draw()
    pair, m = sections.choices(run, one=section in ("word", "alike"))
    if section == "word":
        codeword.draw(pair, m)
    elif section == "alike":
        sections.similarity(pair, m)
    elif section == "pairs":
        sections.overlap(pair)
    elif section == "cost":
        sections.cost(pair)
    else:
        sections.usage(pair)
        sections.training(pair)


st.title("Codebooks")
glossary.caption("A [code] has one [codeword] from each [codebook]. See what each stands for.")
if (selected := runs.finished()) is not None:
    page(selected)
