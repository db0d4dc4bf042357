"""Collections that runs have encoded, in the folder of runs, and the run that each is searched with."""

from __future__ import annotations

import os
from collections.abc import Mapping

import streamlit as st

from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.search.collection import stamp
from transclipped.search.collection_list import Collection, collections
from transclipped.ui import runs
from transclipped.ui.collection_links import KEY
from transclipped.ui.datasets import run_offer
from transclipped.ui.links import key_of
from transclipped.ui.text import plain

DATABASE = ""  # as a search target: the run's database


def of(run: RunDir) -> dict[str, str]:
    """Folders of this run's collections, directly below the folder of runs or inside the run, by their short names."""
    result = {}
    for entry in sorted(_with_model(run, runs.home(), run.path), key=lambda entry: entry.name):
        path = os.fspath(entry.path)
        result[path if entry.name in result else entry.name] = path
    return result


def others(run: RunDir) -> dict[str, Collection]:
    """Collections of other runs in the folder of runs, by name."""
    return {entry.name: entry for entry in _with_model(run, runs.home(), same=False)}


def _with_model(run: RunDir, *folders, same: bool = True) -> list[Collection]:
    entries = collections(*folders)
    model = _model(run.fingerprint, run) if entries else None
    return [entry for entry in entries if (entry.model == model) == same]


def run_of(entry: Collection) -> RunDir | None:
    """The run that a collection is searched with, whatever its name is now; None if it does not exist."""
    every = runs.all_runs()
    likely = [every[entry.run.name]] if entry.run.name in every else []
    return next((run for run in [*likely, *every.values()] if _model(run.fingerprint, run) == entry.model), None)


def shorten(collected: Mapping[str, str]) -> None:
    """Replace the folder of one of this run's collections in the address by its short name."""
    value = st.query_params.get(KEY)
    name = next((name for name, path in collected.items() if path == value), None)
    if name is not None and name != value:
        st.query_params[KEY] = name


def texts(collected: Mapping[str, str], value: str | None, others: Mapping[str, Collection]) -> dict[str, str]:
    """Labels of the search targets, by their name in the address.

    Args:
        value: now in the address; another folder, which a visitor typed, is its own label.
        others: collections that need another run.
    """
    labels = {DATABASE: "the run's own database", **{name: name for name in collected}}
    labels |= {name: f"{name} (of {entry.run.name})" for name, entry in others.items() if name not in labels}
    return labels if not value or key_of(value, labels) is not None else {**labels, value: value}


def offer_run(entry: Collection, run: RunDir) -> None:
    """Instead of the hits: which run encoded this collection, and a button that switches to it."""
    with st.container(border=True, key="other run"):
        st.markdown(f"*{plain(entry.name)}* was encoded by *{plain(entry.run.name)}*, not by *{plain(run.name)}*.")
        other = run_of(entry)
        with st.container(horizontal=True):
            if other is not None:
                look = {"type": "primary", "icon": ":material/swap_horiz:", "args": (other,)}
                st.button(f"Switch to {plain(other.name)}", key="switch run", on_click=run_offer.choose, **look)
            reset_button()
        if other is None:
            st.caption("That run no longer exists. Index the folder again with another run.")
            icon = ":material/photo_library:"
            st.page_link("pages/datasets.py", label="Data sets", icon=icon, query_params={"set": "folder"})


def reset_button() -> None:
    """The way back to the run's database."""
    st.button("Search the run's own database", key="search own", on_click=lambda: st.query_params.pop(KEY, None))


@st.cache_data(max_entries=256, show_spinner=False)
def _model(fingerprint: str, _run: RunDir) -> str | None:
    """Identifier of a run's model as collections store it; None if it cannot be read."""
    try:
        return stamp(_run.head().quantizer.codewords().detach().numpy())
    except InputError:
        return None
