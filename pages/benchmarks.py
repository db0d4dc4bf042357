"""Benchmarks: measured runs side by side, published numbers separately, and the study behind the defaults."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import headline, links, presenting, runs
from transclipped.ui.benchmarks import curves, field, gains, pipelines, study, view
from transclipped.ui.guard import shows_input_errors

RUNS, PIPELINES, STUDY, FIELD, PUBLISHED = "measured", "pipelines", "study", "field", "published"
SECTIONS = {RUNS: "Measured here", PIPELINES: "Pipelines", STUDY: "The study", FIELD: "The field"}
SECTIONS |= {PUBLISHED: "Published elsewhere"}
SAYINGS = {RUNS: "Compare pairs, not single numbers: in a pair, only the rule and its temperature differ."}


@shows_input_errors
def measured() -> None:
    first, second = st.container(), st.container()
    chart, controls = (first, second) if presenting.folded() else (second, first)
    with controls, presenting.controls("Search"):
        search = view.search()
    with chart:
        gains.draw(search)
    rows = view.measured(search)
    if rows:
        curves.draw(rows, search)


st.title("Benchmarks")
headline.draw()
runs.current()  # draws the app around a page that was opened directly
section = links.section(SECTIONS, opened_by=dict.fromkeys(("study_rule", "study_part", "study_value"), STUDY))
DRAW = {RUNS: measured, PIPELINES: pipelines.draw, STUDY: study.draw, FIELD: field.draw, PUBLISHED: view.published}
DRAW[section]()
presenting.say(SAYINGS.get(section, "Compare pairs, not single numbers: in a pair, one thing differs."))
