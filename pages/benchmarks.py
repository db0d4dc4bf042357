"""Benchmarks: measured runs side by side, published numbers set apart, and the study behind the defaults."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import links, runs
from transclipped.ui.benchmarks import curves, study, tables
from transclipped.ui.guard import guarded

RUNS, STUDY, PUBLISHED = "measured", "study", "published"
SECTIONS = {RUNS: "Measured here", STUDY: "The study", PUBLISHED: "Published elsewhere"}


@guarded
def measured() -> None:
    search = tables.search()
    lines = tables.measured(search)
    if lines:
        curves.draw(lines, search)


st.title("Benchmarks")
st.caption("What was measured here, run by run; set apart from it, what others have published.")
runs.current()  # opens the app around a page that was opened alone
section = links.section(SECTIONS, opened_by=dict.fromkeys(("study_rule", "study_part", "study_value"), STUDY))
{RUNS: measured, STUDY: study.draw, PUBLISHED: tables.published}[section]()
