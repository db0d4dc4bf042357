"""Controls of Retrieval: the query images, what to search, and the number of hits."""

from __future__ import annotations

from functools import partial

import streamlit as st

from transclipped.errors import InputError
from transclipped.ui import absent, access, collection_links, links, presenting
from transclipped.ui.components import gallery, intake, share
from transclipped.ui.retrieval import address, collections
from transclipped.ui.retrieval.query import Query, QueryImage, SearchTarget, by_id, query, target, uploaded
from transclipped.ui.retrieval.sections import LABELS, SMALL
from transclipped.ui.text import plain

ABOUT = "Search with an image, the [query]; the [database] is stored as [codes](code) of a few bytes."
UPLOAD, CAMERA = "upload", "camera"
SOURCES = {address.SET: "data set", UPLOAD: "upload", CAMERA: "camera"}
TOPS = (12, 24, 48, 96)
WAITING = {
    UPLOAD: "Choose an image, drop one into the field, or paste one to search with it.",
    CAMERA: "Take a photo to search with it.",
}
WIDTH, PLACE = 130, 240  # pixels of a control, and of the choice of what to search
COPIED = "Copies a link to this view: run, query, section and filters."
NOT_COPIED = "Copies a link to this view, without your image, which stays on this machine."
HELP = {
    "how": "An image of the run's data set, your images (chosen, dropped or pasted), or a photo from the camera.",
    "collection": "The run's database, or a collection of your images, which Data sets creates from a folder.",
    "add": "Adds the images that you click to the query, which is the mean of their embeddings: what they have in "
    "common counts. Off: the image you click is the query.",
    "class": f"Shows a query of this class. {LABELS}",
    "top": "Number of hits shown.",
    "query": "Stored queries are images that were neither used in training nor are part of the database.",
}


def wide(pixels: int) -> int:
    """Width of a control, which grows with the projector's text."""
    return round(pixels * presenting.scale())


def options(run) -> tuple[str, str, int]:
    """Kind of query, name of what to search, and number of hits."""
    collected, others = collections.of(run), collections.others(run)
    collections.shorten(collected)
    name = collection_links.said(collections.texts(collected, None, others))
    texts = collections.texts(collected, name, others)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        source = {"key": "how", "default": address.SET, "required": True, "help": HELP["how"]}
        how = links.choose(st.segmented_control, "Search with", SOURCES, **source)
        where = {"key": collection_links.KEY, "default": collections.DATABASE, "help": HELP["collection"]}
        where |= {"accept_new_options": access.may(), "width": wide(PLACE)}
        name = links.choose(st.selectbox, "Search in", texts, **where)
        top = st.selectbox(
            "Hits", TOPS, 1, key="top", bind="query-params", width=wide(90), help="Number of hits shown."
        )
        share.link(key="copy link", hint=COPIED if how == address.SET else NOT_COPIED)
    collection_links.offer()
    return how, name.strip(), top or TOPS[1]


def open_target(run, name: str) -> SearchTarget | None:
    """What to search; None, with the reason and a remedy on the page, if it cannot be opened."""
    collected, others = collections.of(run), collections.others(run)
    if name not in collected and name in others:
        collections.offer_run(others[name], run)
        return None
    try:
        return target(run, collection_links.folder(collected, name))
    except InputError as error:
        if not name:
            raise
        st.error(plain(error))
        collections.reset_button()
        return None


def images(target: SearchTarget, how: str, more) -> tuple[list[QueryImage], int | None]:
    """Draw the choice of the query's images; returns them, none as long as nothing is uploaded, and its number.

    Args:
        more: container of choices that a class can do without.
    """
    if how == address.SET:
        return _stored(target, more)
    uploads = intake.images(key="pictures") if how == UPLOAD else intake.photograph(key="camera")
    if not uploads:
        with st.spinner("Loading the network …"):
            _ = target.searcher.model  # so that the first search is immediate
    return [uploaded(upload) for upload in uploads], None


def draw(target: SearchTarget, how: str, images: list[QueryImage], *, size: int) -> None:
    """The query's images with their classes.

    Args:
        size: pixels of a single image.
    """
    several = len(images) > 1
    tiles = [gallery.Tile(image.identity or image.key, image.preview, title=image.name) for image in images]
    remove = partial(address.remove, target) if several and how == address.SET else None
    size = SMALL if several else size
    gallery.draw(tiles, key="question", size=size, on_click=remove, hint="Click to remove it from the query.")
    labels = dict.fromkeys(label for image in images for label in image.labels)
    st.caption(f"Mean of {len(images)} images." if several else plain(", ".join(labels) or images[0].name))


def embedded(target: SearchTarget, images: list[QueryImage], number: int | None) -> Query:
    """The query of these images; raises InputError if one cannot be opened or embedded."""
    with st.spinner("Embedding the image …"):
        return query(target, images, number=number)


def _stored(target: SearchTarget, more) -> tuple[list[QueryImage], int | None]:
    """Images that the address names, else a stored query with its number."""
    names = address.query_ids(target)
    number = _query_number(target, more)
    more.toggle("Add clicked", key=address.ADD, bind="query-params", help=HELP["add"])
    if names and number is not None:
        st.button(f"Back to query {number}", icon=":material/undo:", key="stored", on_click=address.clear)
    if names:
        return [by_id(target, name) for name in names], None
    stored = target.run_searcher.stored
    name = str(stored.query_ids[number] if number is not None else stored.database_ids[0])
    image = by_id(target, name)
    if image is None:
        raise InputError(f"{target.run.path} stores image {name}, which is not in its data set; run `evaluate` again")
    return [image], number


def _query_number(target: SearchTarget, more) -> int | None:
    """The stored query that is used unless the address names other images; None if the run stores none."""
    last = len(target.run_searcher.stored.query_ids) - 1
    if not 0 <= st.session_state.get(address.QUERY, 0) <= last:  # a link to a run with more queries
        st.session_state[address.QUERY] = 0
    look = {"bind": "query-params", "width": wide(WIDTH)}
    classes = address.classes(target)
    if classes:
        classes = [address.ANY, *classes]
        absent.settle(address.CLASS, classes, address.ANY)
        change = {"on_change": partial(address.another, target, first=True), "help": HELP["class"]}
        more.selectbox("Class", classes, key=address.CLASS, **change, **look)
    if last < 0:
        return None
    change = {"on_change": address.clear, "help": HELP["query"]}
    number = st.number_input("Query number", 0, last, key=address.QUERY, **change, **look)
    st.button("Another one", icon=":material/casino:", on_click=partial(address.another, target), key="random")
    return int(number)
