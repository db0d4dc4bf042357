"""Pipeline: build a retrieval pipeline from stages, and see what each stage does to the hits of a query."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

import streamlit as st

from transclipped.ui import runs
from transclipped.ui.glossary import paragraph
from transclipped.ui.pipeline import view

st.title("Pipeline")
paragraph(view.ABOUT)
runs.current()  # draws the app around a page that was opened directly
view.draw()
