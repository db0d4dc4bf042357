"""The list of collections: by which run each was encoded, how many images, when, how large; and what to do with one."""

from __future__ import annotations

from datetime import datetime

import pandas as pd
import streamlit as st

from transclipped.search import collection_job
from transclipped.search.collection_list import Collection, collections
from transclipped.ui import access, acts, collection_links, runs
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import collections as places
from transclipped.ui.text import plain

MEGABYTE = 1e6
KEY = "collection of the list"
NOTE = "collections note"


@guarded
def draw() -> None:
    """The collections in the folder of runs, newest first; nothing but a sentence where there is none."""
    acts.show(NOTE)
    entries = collections(runs.home())
    if not entries:
        st.caption("None yet. On Data sets, open a folder of your own and index it.")
        return
    st.dataframe(_table(entries), hide_index=True, height="content" if len(entries) < 10 else 380,
                 column_config={"MB": st.column_config.NumberColumn(format="%.2f"),
                                "encoded": st.column_config.DatetimeColumn(format="YYYY-MM-DD HH:mm")})  # fmt: skip
    by_name = {entry.name: entry for entry in entries}
    if st.session_state.get(KEY) not in by_name:
        st.session_state.pop(KEY, None)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox("Collection", list(by_name), key=KEY, width=260)
        run = places.run_of(by_name[name])
        if run is not None:
            collection_links.search(by_name[name], run, key="list search")
            collection_links.map_of(by_name[name], run, key="list map")
        with st.popover("Delete …", icon=":material/delete:", **access.control()):
            st.markdown(f"Delete *{plain(name)}*? The images stay where they are; only their codes go.")
            st.button("Delete it", key="delete collection", type="primary",
                      on_click=acts.press, args=(NOTE, _delete, by_name[name]))  # fmt: skip
    if run is None:
        st.caption("The run that encoded it is not here any more, so it cannot be searched. Index its folder again.")


def _table(entries: list[Collection]) -> pd.DataFrame:
    rows = [
        (entry.name, entry.run.name, entry.n, datetime.fromtimestamp(entry.made), entry.bytes / MEGABYTE,
         ", ".join(entry.folders))
        for entry in entries
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["collection", "run", "images", "encoded", "MB", "folder"])


def _delete(entry: Collection) -> str:
    access.require()
    collection_job.delete(entry.path)
    return f"{entry.name} was deleted. Its images are where they were."
