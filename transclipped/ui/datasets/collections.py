"""The list of collections, each with its run, number of images, date and size, and actions on one."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from transclipped.search import collection_job
from transclipped.search.collection_list import Collection, collections
from transclipped.ui import access, acts, collection_links, runs
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import collections as places
from transclipped.ui.text import plain

MEGABYTE = 1e6
KEY = "collection of the list"
NOTE = "collections note"


@shows_input_errors
def draw() -> None:
    """Draw the collections in the folder of runs, newest first."""
    acts.show(NOTE)
    entries = collections(runs.home())
    if not entries:
        st.caption("None yet. Open your own folder on Data sets and index it.")
        return
    columns = st.column_config
    formats = {"MB": columns.NumberColumn(format="%.2f"), "encoded": columns.DatetimeColumn(format="YYYY-MM-DD HH:mm")}
    height = "content" if len(entries) < 10 else 380
    st.dataframe(_table(entries), hide_index=True, height=height, column_config=formats)
    by_name = {entry.name: entry for entry in entries}
    if st.session_state.get(KEY) not in by_name:
        st.session_state.pop(KEY, None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        entry = by_name[st.selectbox("Collection", list(by_name), key=KEY, width=260)]
        run = places.run_of(entry)
        if run is not None:
            collection_links.search(entry, run, key="list search")
            collection_links.map_of(entry, run, key="list map")
        with st.popover("Delete …", icon=":material/delete:", **access.control()):
            st.markdown(f"Delete *{plain(entry.name)}*? Only its codes are deleted; the images stay.")
            delete = {"on_click": acts.press, "args": (NOTE, _delete, entry)}
            st.button("Delete it", key="delete collection", type="primary", **delete)
    if run is None:
        st.caption("The run that encoded it no longer exists, so it cannot be searched. Index its folder again.")


def _table(entries: list[Collection]) -> pd.DataFrame:
    columns = {
        "collection": [entry.name for entry in entries],
        "run": [entry.run.name for entry in entries],
        "images": [entry.n for entry in entries],
        "encoded": [datetime.fromtimestamp(entry.made) for entry in entries],
        "MB": [entry.bytes / MEGABYTE for entry in entries],
        "folder": [", ".join(entry.folders) for entry in entries],
    }
    return pd.DataFrame(columns)


def _delete(entry: Collection) -> str:
    access.require()
    collection_job.delete(entry.path)
    return f"{entry.name} was deleted. Its images are unchanged."
