"""Collections that runs have encoded, where a visitor keeps them, and the run by which each is searched."""

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

OWN = ""  # as a place to search: the run's own database


def known(run: RunDir) -> dict[str, str]:
    """Folders of this run's collections, directly below the folder of runs or inside the run, by their short names."""
    entries = collections(runs.home(), run.path)
    if not entries:
        return {}
    model = _model(run.fingerprint, run)
    named = {}
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.model == model:
            path = os.fspath(entry.path)
            named[path if entry.name in named else entry.name] = path
    return named


def others(run: RunDir) -> dict[str, Collection]:
    """Collections of other runs in the folder of runs, by name."""
    model = _model(run.fingerprint, run)
    return {entry.name: entry for entry in collections(runs.home()) if entry.model != model}


def run_of(entry: Collection) -> RunDir | None:
    """The run by which a collection is searched, whatever its name is now; None if it is not here."""
    every = runs.all_runs()
    likely = [every[entry.run.name]] if entry.run.name in every else []
    return next((run for run in [*likely, *every.values()] if _model(run.fingerprint, run) == entry.model), None)


def shorten(known: Mapping[str, str]) -> None:
    """Give one of this run's collections that the address names by its folder its short name there."""
    said = st.query_params.get(KEY)
    name = next((name for name, path in known.items() if path == said), None)
    if name is not None and name != said:
        st.query_params[KEY] = name


def texts(known: Mapping[str, str], said: str | None, others: Mapping[str, Collection] | None = None) -> dict[str, str]:
    """What the choice of a place to search displays, by its name in the address.

    Args:
        said: in the address now; another folder, which a visitor typed, is its own name.
        others: collections that need another run.
    """
    places = {OWN: "the run's own database", **{name: name for name in known}}
    places |= {name: f"{name} (of {entry.run.name})" for name, entry in (others or {}).items() if name not in places}
    return places if not said or key_of(said, places) is not None else {**places, said: said}


def offer_run(entry: Collection, run: RunDir) -> None:
    """Instead of the hits: whose collection this is, and one click to that run."""
    with st.container(border=True, key="other run"):
        st.markdown(f"*{plain(entry.name)}* was encoded by *{plain(entry.run.name)}*, not by *{plain(run.name)}*.")
        theirs = run_of(entry)
        with st.container(horizontal=True):
            if theirs is not None:
                st.button(
                    f"Switch to {plain(theirs.name)}", key="switch run", type="primary", icon=":material/swap_horiz:",
                    on_click=run_offer.choose, args=(theirs,),
                )  # fmt: skip
            search_own()
        if theirs is None:
            st.caption("That run is not here any more. Index the folder again with another run.")
            st.page_link("pages/datasets.py", label="Data sets", icon=":material/photo_library:",
                         query_params={"set": "folder"})  # fmt: skip


def search_own() -> None:
    """The way back to the run's own database."""
    st.button("Search the run's own database", key="search own", on_click=_forget)


def _forget() -> None:
    st.query_params.pop(KEY, None)


@st.cache_data(max_entries=256, show_spinner=False)
def _model(fingerprint: str, _run: RunDir) -> str | None:
    """Name of a run's model as collections note it; None where it cannot be read."""
    try:
        return stamp(_run.head().quantizer.codewords().detach().numpy())
    except InputError:
        return None
