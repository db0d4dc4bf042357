"""The question of the Retrieval page in its address.

`?query=` is the number of a stored query, `?query_id=` (maybe several times) the id of any image of the data set or
of the collection that is searched; where there are both, ids win.
"""

from __future__ import annotations

import random

import numpy as np
import streamlit as st

from transclipped.ui import absent
from transclipped.ui.retrieval.query import COLLECTED, Place, stored_part
from transclipped.ui.text import plain

SET = "set"  # the data set, as a way to ask (`?how=`)
ANY = "any class"
QUERY, ADD, CLASS = "query", "add", "class"  # keys of widgets, and names in the address
MOST = 16  # images that ask together


def ask(where: Place, name: str) -> None:
    """Ask with the image of this id, alone or, if the visitor wants so, besides what asks already."""
    st.query_params.pop("how", None)
    names = st.query_params.get_all("query_id")
    if st.session_state.get(ADD):
        number = st.session_state.get(QUERY, 0)
        if not names and 0 <= number < len(where.own.stored.query_ids):
            names = [str(where.own.stored.query_ids[number])]
        names = list(dict.fromkeys([*names, name]))[-MOST:]
    else:
        names = [name]
    _set(where, names)


def drop(where: Place, name: str) -> None:
    """Take one image out of the question, unless it is the last."""
    names = [other for other in st.query_params.get_all("query_id") if other != name]
    if names:
        _set(where, names)


def forget() -> None:
    """Go back to the stored query."""
    st.query_params.pop("query_id", None)


def named(where: Place) -> list[str]:
    """Ids that the address names, without those that nothing has; a single stored query becomes its number."""
    names = list(dict.fromkeys(st.query_params.get_all("query_id")))[:MOST]
    known = [name for name in names if stored_part(where, name) is not None]
    if unknown := [name[:80] for name in names if name not in known]:
        gone = f"{plain(where.run.name)} has no image {plain(', '.join(unknown))}"
        absent.note("query_id", f"{gone}, so here is another one.")
    if known != names or len(known) == 1:
        _set(where, known)
    return st.query_params.get_all("query_id")


def _set(where: Place, names: list[str]) -> None:
    """Write ids into the address; one stored query alone as its number."""
    if len(names) == 1:
        rows = np.flatnonzero(where.own.stored.query_ids.astype(str) == names[0])
        part = stored_part(where, names[0])
        if len(rows) and part is not None and not part.key.startswith(COLLECTED):
            st.session_state[QUERY] = int(rows[0])
            absent.resolve(QUERY)
            names = []
    if names:
        st.query_params["query_id"] = names
    else:
        st.query_params.pop("query_id", None)


def numbers_of(where: Place, name: str) -> np.ndarray:
    """Numbers of the stored queries of a class, or of all."""
    labels = where.own.stored.query_labels
    if name == ANY or labels is None or name not in where.own.class_names:
        return np.arange(len(where.own.stored.query_ids))
    index = where.own.class_names.index(name)
    return np.flatnonzero(labels == index if labels.ndim == 1 else labels[:, index] > 0)


def classes(where: Place) -> list[str]:
    """Classes that stored queries have."""
    labels, names = where.own.stored.query_labels, where.own.class_names
    if labels is None:
        return []
    there = labels.any(0).nonzero()[0] if labels.ndim == 2 else np.unique(labels[labels >= 0])
    return [names[i] for i in there.tolist() if i < len(names)]


def another(where: Place, *, first: bool = False) -> None:
    """Ask with another stored query of the class that the visitor chose: a random one, or the first."""
    numbers = numbers_of(where, st.session_state.get(CLASS, ANY))
    now = st.session_state.get(QUERY)
    if first:
        chosen = numbers[:1]
    else:
        chosen = [random.choice([n for n in numbers.tolist() if n != now] or numbers.tolist())] if len(numbers) else []
    for number in chosen:
        st.session_state[QUERY] = int(number)
    forget()
