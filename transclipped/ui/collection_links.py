"""Collections in links: which one Retrieval searches, and one click from a collection to where it is used.

A link is anybody's, so `?collection=` opens none but the listed ones. Another folder is opened after its owner typed
it, or pressed a button on the page that the link led to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import streamlit as st

from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.collection_list import Collection
from transclipped.ui import access, links
from transclipped.ui.datasets import run_offer
from transclipped.ui.text import plain
from transclipped.ui.train import images

MAPPED = re.compile(r"[\w .-]+")  # names of collections that Embeddings offers
KEY = "collection"  # of the choice, and its name in the address
_LINKED = "collection linked"  # in the session: a folder that only the address named


def said(places: Mapping[str, str]) -> str | None:
    """What the address names, if it is one of `places` or was typed or opened during this visit; else it leaves it.

    Args:
        places: what is displayed, by name.
    """
    name = st.query_params.get(KEY)
    if not name or links.key_of(name, places) is not None or st.session_state.get(KEY) == name:
        return name
    st.query_params.pop(KEY)
    st.session_state[_LINKED] = name
    return None


def offer() -> None:
    """A button that opens the folder that the address named, where there is one."""
    name = st.session_state.get(_LINKED)
    if name is None:
        return
    st.info(f"This link names the folder {plain(name)}. Open it only if you know it.")
    st.button(
        "Open it", key="open linked", icon=":material/folder_open:", on_click=_open, args=(name,), **access.control()
    )


def folder(known: Mapping[str, str], name: str) -> str | None:
    """Folder of the place to search that was chosen; None for the run's own database.

    Args:
        known: folders by the names of listed collections.

    Raises:
        InputError: it is not listed, and this visitor may not open others, or nobody may.
    """
    if name in known or not name.strip():
        return known.get(name)
    access.require()
    return str(access.readable(name.strip()))


def search(entry: Collection, run: RunDir, *, key: str, first: bool = False) -> None:
    """To Retrieval, searching in this collection by its run, with its first image as the query.

    Args:
        first: whether this is the main thing to press.
    """
    if st.button("Search in it", key=key, icon=":material/image_search:", type="primary" if first else "secondary",
                 on_click=run_offer.choose, args=(run,)):  # fmt: skip
        name = _first_id(entry.path)
        links.go("retrieval", collection=entry.name, **({} if name is None else {"query_id": name}))


def map_of(entry: Collection, run: RunDir, *, key: str) -> None:
    """To Embeddings, showing this collection."""
    if st.button("Map it", key=key, icon=":material/scatter_plot:", disabled=MAPPED.fullmatch(entry.name) is None,
                 on_click=run_offer.choose, args=(run,), kwargs={"map_which": entry.name}):  # fmt: skip
        links.go("embeddings")


def train(folder: Path, labels: str | None, *, key: str) -> None:
    """To Train, whose form then names this folder and its labels."""
    if st.button("Train on it", key=key, icon=":material/model_training:", on_click=images.for_folder,
                 args=(str(folder), labels or "")):  # fmt: skip
        links.go("train")


def _open(name: str) -> None:
    st.session_state.pop(_LINKED, None)
    if access.may():
        st.session_state[KEY] = st.query_params[KEY] = name


def _first_id(path: Path) -> str | None:
    try:
        ids = Retrieval.load(path / "retrieval.npz").database_ids
    except InputError:
        return None
    return str(ids[0]) if len(ids) else None
