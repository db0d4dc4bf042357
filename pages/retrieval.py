"""Retrieval: ask with any picture, see what the codes find, why, how well, and at what cost."""

from transclipped.ui import imports

imports.through_app()  # before this page imports anything else

from functools import partial

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui import absent, access, collection_address, links, runs, shell
from transclipped.ui.components import gallery, intake
from transclipped.ui.datasets import collections as collections_list
from transclipped.ui.datasets import run_offer
from transclipped.ui.guard import guarded
from transclipped.ui.retrieval import address, collections, cost, sections
from transclipped.ui.retrieval.query import own_part, place, question, relevant, stored_part, tiles
from transclipped.ui.retrieval.why import why
from transclipped.ui.sections import choose
from transclipped.ui.text import plain

ASK = {address.SET: "data set", "upload": "upload", "camera": "camera"}
WAITING = {
    "upload": "Choose a picture, drop one into the field, or paste one, and it asks.",
    "camera": "Take a picture, and it asks.",
}
TOPS = (12, 24, 48, 96)
WIDTH = 180  # pixels of a control: one fills the left column, several stand side by side in a narrow window
LARGE, SMALL = 160, 64  # pixels of a query that asks alone, and of one of several
SECTIONS = {
    "why": "Why this hit",
    "searches": "Three searches",
    "lengths": "Code lengths",
    "quality": "How good",
    "extremes": "Hardest and easiest",
    "cost": "Size and speed",
    "teach": "Teach it",
}


def options(run) -> tuple[str, str, int]:
    """Kind of query, name of the place to search, and number of hits."""
    known, others = collections.known(run), collections.others(run)
    collections.shorten(known)
    said = collection_address.said(collections.texts(known, None, others))
    left, right = st.columns([1, 1.6], gap="medium", vertical_alignment="bottom")
    how = links.choose(
        left.segmented_control, "Ask with", ASK, key="how", default=address.SET, required=True,
        help="A picture of the run's data set, your own pictures (chosen, dropped or pasted), or the camera's.",
    )  # fmt: skip
    with right, shell.aside("retrieval"), st.container(horizontal=True, vertical_alignment="bottom"):
        there = links.choose(
            st.selectbox, "Search in", collections.texts(known, said, others), key="collection",
            default=collections.OWN, accept_new_options=access.may(),
            help="Or a collection of your own images, which Data sets makes from a folder.",
        )  # fmt: skip
        top = st.selectbox("Hits", TOPS, 1, key="top", bind="query-params", width=100, help="How many are shown.")
    collection_address.offer()
    return how, there.strip(), top or TOPS[1]


def opened(run, name: str):
    """The place to search; None, with the reason and a remedy on the page, where it cannot be opened."""
    known, others = collections.known(run), collections.others(run)
    if name not in known and name in others:
        collections.offer_run(others[name], run)
        return None
    try:
        return place(run, collection_address.folder(known, name))
    except InputError as error:
        if not name:
            raise
        st.error(plain(error))
        collections.search_own()
        return None


def query_number(where) -> int | None:
    """The stored query that asks unless the address names another picture; None where the run stores none."""
    last = len(where.own.stored.query_ids) - 1
    if not 0 <= st.session_state.get("query", 0) <= last:  # a link to a run with more queries
        st.session_state["query"] = 0
    classes = address.classes(where)
    if classes:
        absent.settle("class", [address.ANY, *classes], address.ANY)
        st.selectbox(
            "Class", [address.ANY, *classes], key="class", bind="query-params", width=WIDTH,
            on_change=partial(address.another, where, first=True),
            help=f"Asks with a query of this class. {sections.LABELS}",
        )  # fmt: skip
    if last < 0:
        return None
    number = st.number_input(
        "Query number", 0, last, key="query", bind="query-params", width=WIDTH, on_change=address.forget,
        help="Stored queries are pictures that the run neither learnt from nor searches.",
    )  # fmt: skip
    st.button("Another one", icon=":material/casino:", on_click=partial(address.another, where), key="random")
    return int(number)


def stored(where) -> tuple[list, int | None]:
    """Pictures of the data set that ask: those the address names, else a stored query, and its number."""
    names = address.named(where)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = query_number(where)
        st.toggle(
            "Add clicked", key="add", bind="query-params",
            help="Pictures that you click then ask together, by the mean of their embeddings: what they have in common "
            "counts. Off: the picture you click asks alone.",
        )  # fmt: skip
        if names and number is not None:
            st.button(f"Ask with query {number}", icon=":material/undo:", key="stored", on_click=address.forget)
    if names:
        return [stored_part(where, name) for name in names], None
    name = str(where.own.stored.query_ids[number] if number is not None else where.own.stored.database_ids[0])
    part = stored_part(where, name)
    if part is None:
        raise InputError(
            f"{where.run.path} asks with picture {name}, which its data set does not have; measure it again"
        )
    return [part], number


def asked(where, how: str):
    """The question, its pictures on the left; None as long as the visitor has brought none."""
    shown = st.container()
    if how == address.SET:
        parts, number = stored(where)
    else:
        brought = intake.pictures(key="pictures") if how == "upload" else intake.photograph(key="camera")
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
        st.caption(f"{len(parts)} pictures ask together." if several else plain(", ".join(names) or parts[0].name))
    with st.spinner("Looking at the picture …"):
        return question(where, parts, number=number)


def ranked(where, asks, top: int) -> tuple[list, object]:
    """The ranked grid; hits, and what is relevant."""
    hits = sections.itself_first(where.engine.search(asks.embedding, top=top), asks.names(where))
    mask = relevant(where.engine, asks.labels)
    how_many = f"The {len(hits)} most similar of {where.engine.index.n:,} pictures"
    frames = (
        " Solid blue ✓: shares a class with the query. Dashed orange ✗: does not. "
        + sections.share(hits, mask, asking=asks.names(where)) if mask is not None else ""
    )  # fmt: skip
    codes = where.engine.index.codes
    st.caption(
        f"{how_many}, judged by {codes.shape[1]} bytes each.{frames} {sections.ties(hits, codes)} "
        "Click one to ask with it.",
        help=f"Below a picture: its rank, class and score, a mean of cosines in [-1, 1]. {sections.LABELS}",
    )
    gallery.draw(
        tiles(where, hits, mask), key="hits", on_click=partial(address.ask, where), hint="Click to ask with it."
    )
    return hits, mask


def below(where, asks, hits, mask, top: int) -> None:
    """What one wants to know next; only the chosen section is computed."""
    parts = {
        "why": lambda: why(where, asks, hits, mask),
        "searches": lambda: sections.searches(where, asks, mask),
        "lengths": lambda: sections.lengths(where, asks),
        "quality": lambda: sections.quality(where, asks, mask),
        "extremes": lambda: sections.extremes(where, asks),
        "cost": lambda: cost.cost(where),
        "teach": lambda: cost.teach(where, asks, mask, top),
    }
    st.divider()
    parts[choose(SECTIONS)]()


@guarded
def page(run) -> None:
    how, name, top = options(run)
    left, right = st.columns([1, 3], gap="medium")
    with right:
        where = opened(run, name)
    with left:  # stays beside whatever goes wrong on the right
        asks = asked(where or place(run, None), how)
    if asks is None:
        right.info(WAITING[how])
    elif where is not None:
        with right:
            if where.is_own:
                run_offer.hint(run, (part.image() for part in asks.parts if part.identity is None))
            hits, mask = ranked(where, asks, top)
        below(where, asks, hits, mask, top)


st.title("Retrieval")
st.caption("A picture asks; the database answers from codes of a few bytes.")
chosen = runs.finished()
if chosen is not None:
    page(chosen)
    with shell.aside("collections"), st.expander("Collections of your own images", icon=":material/folder_special:"):
        collections_list.draw()
