"""`streamlit run app.py`: navigation in the order of a lesson, and the sidebar's choice of run."""

import streamlit as st

from transclipped.ui import imports, threads

threads.share()
imports.first()  # before all other imports: several visitors may arrive at once

from transclipped.ui import absent, access, runs, shell, tour, warm
from transclipped.ui.train import imported_form

access.admit()

pages = shell.pages()
page = st.navigation(pages)
st.set_page_config(page_title=f"{page.title} · TransClipped", page_icon="✂️", layout="wide")
absent.begin(page.url_path)
runs.follow_renames()
with st.sidebar, shell.aside("run"):
    runs.choose()
    access.sign_in()
shell.frame(pages, page)
tour.draw(page.url_path)
notices = st.container()
imported_form.draw(runs.current())
if page.url_path:  # Overview, at the root, does not wait for the slow imports
    imports.everything()
    imports.plugins()
page.run()
absent.draw(notices)
warm.up(runs.current())
