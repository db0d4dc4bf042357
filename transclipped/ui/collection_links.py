"""From a collection, or its folder, one click to where something is done with it."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.collection_list import Collection
from transclipped.ui import links
from transclipped.ui.datasets import run_offer
from transclipped.ui.train import form as train_form

MAPPED = re.compile(r"[\w .-]+")  # names of collections that Embeddings offers


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
    if st.button("Train on it", key=key, icon=":material/model_training:", on_click=_fill_form, args=(folder, labels)):
        links.go("train")


def _fill_form(folder: Path, labels: str | None) -> None:
    """The folder in the form of Train, and what its preset fills in for a folder."""
    state = st.session_state
    for name in ("backbone", *train_form.preset(train_form.QUICK, "folder", None)):
        state.pop(f"set {name}", None)
    state["set dataset"] = "folder"
    state["set data"], state["set labels"] = str(folder), labels or ""


def _first_id(path: Path) -> str | None:
    try:
        ids = Retrieval.load(path / "retrieval.npz").database_ids
    except InputError:
        return None
    return str(ids[0]) if len(ids) else None
