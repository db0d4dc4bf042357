"""Collections in links: the one that Retrieval searches, and buttons that open a collection on another page.

A link can come from anyone, so `?collection=` opens listed collections only. Another folder opens once the owner typed
its path, or pressed a button on the page that the link opened.
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
_LINKED = "collection linked"  # in the session: a folder that came from the address alone


def said(places: Mapping[str, str]) -> str | None:
    """The collection in the address if it is one of `places`, or was typed or opened in this session.

    Any other is removed from the address.

    Args:
        places: displayed texts, by name.
    """
    name = st.query_params.get(KEY)
    if not name or links.key_of(name, places) is not None or st.session_state.get(KEY) == name:
        return name
    st.query_params.pop(KEY)
    st.session_state[_LINKED] = name
    return None


def offer() -> None:
    """A button that opens the folder from the address, if any."""
    name = st.session_state.get(_LINKED)
    if name is None:
        return
    st.info(f"This link leads to the folder {plain(name)}. Open it only if you trust the link.")
    icon = ":material/folder_open:"
    st.button("Open it", key="open linked", icon=icon, on_click=_open, args=(name,), **access.control())


def folder(listed: Mapping[str, str], name: str) -> str | None:
    """Folder of a chosen collection; None for the run's own database.

    Args:
        listed: folders by the names of listed collections.

    Raises:
        InputError: it is not listed, and this visitor may not open it.
    """
    if name in listed or not name.strip():
        return listed.get(name)
    access.require()
    return str(access.readable(name.strip()))


def search(entry: Collection, run: RunDir, *, key: str, first: bool = False) -> None:
    """A button to Retrieval, which searches this collection by its run, with its first image as the query.

    Args:
        first: whether it is the primary button.
    """
    kind, icon = "primary" if first else "secondary", ":material/image_search:"
    if st.button("Search in it", key=key, icon=icon, type=kind, on_click=run_offer.choose, args=(run,)):
        links.go("retrieval", collection=entry.name, **_first_query(entry.path))


def map_of(entry: Collection, run: RunDir, *, key: str) -> None:
    """A button to Embeddings, which shows this collection."""
    options = {"on_click": run_offer.choose, "args": (run,), "kwargs": {"map_which": entry.name}}
    mappable = MAPPED.fullmatch(entry.name) is not None
    if st.button("Map it", key=key, icon=":material/scatter_plot:", disabled=not mappable, **options):
        links.go("embeddings")


def train(folder: Path, labels: str | None, *, key: str) -> None:
    """A button to Train, whose form is filled with this folder and its labels."""
    options = {"on_click": images.for_folder, "args": (str(folder), labels or "")}
    if st.button("Train on it", key=key, icon=":material/model_training:", **options):
        links.go("train")


def _open(name: str) -> None:
    st.session_state.pop(_LINKED, None)
    if access.may():
        st.session_state[KEY] = st.query_params[KEY] = name


def _first_query(path: Path) -> dict[str, str]:
    try:
        ids = Retrieval.load(path / "retrieval.npz").database_ids
    except InputError:
        return {}
    return {"query_id": str(ids[0])} if len(ids) else {}
