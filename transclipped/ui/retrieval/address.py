"""The query of the Retrieval page in its URL.

`?query=` is the number of a stored query; `?query_id=`, which may repeat, is the id of any image of the data set or of
the collection that is searched. Ids take precedence.
"""

from __future__ import annotations

import random

import numpy as np
import streamlit as st

from transclipped.ui import absent
from transclipped.ui.retrieval.query import COLLECTED, SearchTarget, by_id
from transclipped.ui.text import plain

SET = "set"  # `?how=`: query with an image of the data set
ANY = "any class"
QUERY, ADD, CLASS = "query", "add", "class"  # keys of widgets, and names in the address
MOST = 16  # images of a query
CARRIED = "carried query"  # in the session: id of the image chosen on another page, which becomes the query


def search_with(target: SearchTarget, name: str) -> None:
    """Query with the image of this id, alone or added to the current query, as the visitor chose."""
    st.query_params.pop("how", None)
    names = []
    if st.session_state.get(ADD):
        ids, number = target.run_searcher.stored.query_ids, st.session_state.get(QUERY, 0)
        stored = [str(ids[number])] if 0 <= number < len(ids) else []
        names = st.query_params.get_all("query_id") or stored
    _set(target, list(dict.fromkeys([*names, name]))[-MOST:])


def remove(target: SearchTarget, name: str) -> None:
    """Remove one image from the query, unless it is the last."""
    names = [other for other in st.query_params.get_all("query_id") if other != name]
    if names:
        _set(target, names)


def clear() -> None:
    """Return to the stored query."""
    st.query_params.pop("query_id", None)


def query_ids(target: SearchTarget) -> list[str]:
    """Ids in the address, without those that do not exist; a single stored query becomes its number."""
    carried = st.session_state.pop(CARRIED, None)
    if carried and not {QUERY, "query_id"} & {*st.query_params} and by_id(target, carried) is not None:
        _set(target, [carried])
    names = list(dict.fromkeys(st.query_params.get_all("query_id")))[:MOST]
    existing = [name for name in names if by_id(target, name) is not None]
    if missing := [name[:80] for name in names if name not in existing]:
        absent.note("query_id", f"{plain(target.run.name)} has no image {plain(', '.join(missing))}; showing another.")
    if existing != names or len(existing) == 1:
        _set(target, existing)
    return st.query_params.get_all("query_id")


def _set(target: SearchTarget, names: list[str]) -> None:
    """Write ids into the address; one stored query alone as its number."""
    if len(names) == 1:
        rows = np.flatnonzero(target.run_searcher.stored.query_ids.astype(str) == names[0])
        image = by_id(target, names[0])
        if len(rows) and image is not None and not image.key.startswith(COLLECTED):
            st.session_state[QUERY] = int(rows[0])
            absent.resolve(QUERY)
            names = []
    if names:
        st.query_params["query_id"] = names
    else:
        clear()


def classes(target: SearchTarget) -> list[str]:
    """Classes of the stored queries."""
    labels, names = target.run_searcher.stored.query_labels, target.run_searcher.class_names
    if labels is None:
        return []
    present = labels.any(0).nonzero()[0] if labels.ndim == 2 else np.unique(labels[labels >= 0])
    return [names[i] for i in present.tolist() if i < len(names)]


def _numbers_of(target: SearchTarget, name: str) -> list[int]:
    """Numbers of the stored queries of a class, or of all."""
    stored, names = target.run_searcher.stored, target.run_searcher.class_names
    labels = stored.query_labels
    if name == ANY or labels is None or name not in names:
        return list(range(len(stored.query_ids)))
    index = names.index(name)
    return np.flatnonzero(labels == index if labels.ndim == 1 else labels[:, index] > 0).tolist()


def another(target: SearchTarget, *, first: bool = False) -> None:
    """Change to another stored query of the chosen class: a random one, or the first."""
    numbers = _numbers_of(target, st.session_state.get(CLASS, ANY))
    others = [number for number in numbers if number != st.session_state.get(QUERY)]
    if numbers:
        st.session_state[QUERY] = numbers[0] if first else random.choice(others or numbers)
    clear()
