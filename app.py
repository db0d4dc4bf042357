"""`streamlit run app.py`: navigation in the order of a lesson, and the sidebar's choice of run."""

import streamlit as st

from transclipped.ui import runs, shell, warm

st.set_page_config(page_title="TransClipped", page_icon="✂️", layout="wide")

shown = shell.pages()
page = st.navigation(shown)
with st.sidebar, shell.aside("run"):
    runs.choose()
shell.frame(shown, page)
page.run()
warm.up(runs.current())
