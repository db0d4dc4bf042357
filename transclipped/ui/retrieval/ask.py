"""The images that ask: of the data set, as the address names them, or the visitor's own."""

from __future__ import annotations

from functools import partial

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui import absent
from transclipped.ui.components import gallery, intake
from transclipped.ui.retrieval import address
from transclipped.ui.retrieval.controls import CAMERA, UPLOAD
from transclipped.ui.retrieval.query import own_part, question, stored_part
from transclipped.ui.retrieval.sections import LABELS
from transclipped.ui.text import plain

WAITING = {
    UPLOAD: "Choose an image, drop one into the field, or paste one, and it asks.",
    CAMERA: "Take an image, and it asks.",
}
WIDTH = 180  # pixels of a control: one fills the left column, several stand side by side in a narrow window
LARGE, SMALL = 160, 64  # pixels of a query that asks alone, and of one of several


def draw(where, how: str):
    """The question, its images on the left; None as long as the visitor has brought none."""
    shown = st.container()
    if how == address.SET:
        parts, number = _stored(where)
    else:
        brought = intake.images(key="pictures") if how == UPLOAD else intake.photograph(key="camera")
        parts, number = [own_part(one) for one in brought], None
    if not parts:
        with st.spinner("Loading the network …"):
            _ = where.engine.model  # so that the answer comes at once
        return None
    with shown:
        several = len(parts) > 1
        query = [gallery.Tile(part.identity or part.key, part.shown, title=part.name) for part in parts]
        remove = partial(address.drop, where) if several and how == address.SET else None
        gallery.draw(
            query, key="question", size=SMALL if several else LARGE, on_click=remove, hint="Click to leave it out."
        )
        names = dict.fromkeys(label for part in parts for label in part.labels)
        st.caption(f"{len(parts)} images ask together." if several else plain(", ".join(names) or parts[0].name))
    with st.spinner("Looking at the image …"):
        return question(where, parts, number=number)


def _stored(where) -> tuple[list, int | None]:
    """Images of the data set that ask: those the address names, else a stored query, and its number."""
    names = address.named(where)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = _query_number(where)
        st.toggle(
            "Add clicked", key=address.ADD, bind="query-params",
            help="Images that you click then ask together, by the mean of their embeddings: what they have in common "
            "counts. Off: the image you click asks alone.",
        )  # fmt: skip
        if names and number is not None:
            st.button(f"Ask with query {number}", icon=":material/undo:", key="stored", on_click=address.forget)
    if names:
        return [stored_part(where, name) for name in names], None
    name = str(where.own.stored.query_ids[number] if number is not None else where.own.stored.database_ids[0])
    part = stored_part(where, name)
    if part is None:
        raise InputError(f"{where.run.path} asks with image {name}, which its data set does not have; measure it again")
    return [part], number


def _query_number(where) -> int | None:
    """The stored query that asks unless the address names another image; None where the run stores none."""
    last = len(where.own.stored.query_ids) - 1
    if not 0 <= st.session_state.get(address.QUERY, 0) <= last:  # a link to a run with more queries
        st.session_state[address.QUERY] = 0
    classes = address.classes(where)
    if classes:
        absent.settle(address.CLASS, [address.ANY, *classes], address.ANY)
        st.selectbox(
            "Class", [address.ANY, *classes], key=address.CLASS, bind="query-params", width=WIDTH,
            on_change=partial(address.another, where, first=True),
            help=f"Asks with a query of this class. {LABELS}",
        )  # fmt: skip
    if last < 0:
        return None
    number = st.number_input(
        "Query number", 0, last, key=address.QUERY, bind="query-params", width=WIDTH, on_change=address.forget,
        help="Stored queries are images that the run neither learnt from nor searches.",
    )  # fmt: skip
    st.button("Another one", icon=":material/casino:", on_click=partial(address.another, where), key="random")
    return int(number)
