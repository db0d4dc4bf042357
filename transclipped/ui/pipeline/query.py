"""The query of the Pipeline page: a query of the data set, an upload, or a photograph."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import data_address, data_url, to_jpeg
from transclipped.errors import InputError
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.ui import absent, links
from transclipped.ui.components import intake
from transclipped.ui.pipeline import html
from transclipped.ui.pipeline.data import Place, labels_of, query_ids
from transclipped.ui.retrieval.address import SET
from transclipped.ui.retrieval.controls import SOURCES, UPLOAD, WAITING

HOW, NUMBER = "pipe_how", "pipe_query"
FIRST = 240  # query shown first: of the bundled photographs, one whose hits each stage changes
SIDE = 112  # px of an image on the page: a hit is 72, half as large again on a projector
CRISP = 64  # px; smaller images are drawn pixel by pixel


@dataclass(frozen=True)
class Subject:
    """A query.

    Attributes:
        key: of its content. query: as `Pipeline.search` takes it. labels: names, empty if unknown.
        image: data URL.
    """

    key: str
    query: Any
    labels: list[str]
    image: str


def draw(pipeline: Pipeline, place: Place) -> Subject | None:
    """Draw the choice of the query; None as long as nothing is uploaded."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        about = "A query of the data set, an image of yours, or a photo from the camera."
        options = {"key": HOW, "default": SET, "required": True, "help": about}
        how = links.choose(st.segmented_control, "Search with", SOURCES, **options)
        if how == SET:
            return _of_set(pipeline, place)
    uploads = (
        intake.images(key="pipe_pictures", several=False) if how == UPLOAD else intake.photograph(key="pipe_camera")
    )
    if not uploads:
        st.info(WAITING[how])
        return None
    upload = uploads[0]
    small = upload.image.copy()
    small.thumbnail((SIDE, SIDE))
    return Subject(upload.digest, upload.image, [], data_address(to_jpeg(small), "image/jpeg"))


def _of_set(pipeline: Pipeline, place: Place) -> Subject | None:
    ids = query_ids(pipeline)
    if not ids:
        st.info("This run stores no queries; search with an image of yours.")
        return None
    last = len(ids) - 1
    first = min(FIRST, last)
    if not 0 <= st.session_state.get(NUMBER, first) <= last:
        absent.settle(NUMBER, range(len(ids)), first)
    number = int(st.number_input("Query number", 0, last, first, key=NUMBER, bind="query-params", width=150))
    identity = ids[number]
    return Subject(f"id {identity}", str(identity), labels_of(place, identity), thumbnail(place, identity))


def image_of(place: Place, subject: Subject) -> Image.Image:
    """The query's image, as large as it is."""
    if isinstance(subject.query, str):
        return place.images.image(place.images.row_of(subject.query))
    return subject.query


def thumbnail(place: Place, identity: object) -> str:
    """An image of the data set as a data URL; "" if it cannot be read."""
    try:
        row = place.images.find(identity)
        return "" if row is None else _thumbnail(place.images.fingerprint, row, place)
    except (InputError, NotImplementedError):  # unreadable, or embeddings without images
        return ""


@st.cache_data(max_entries=4096, show_spinner=False)
def _thumbnail(images: str, row: int, _place: Place) -> str:
    images = _place.images
    if images.native_size is not None and images.native_size <= CRISP:
        return data_url(images.image(row))
    return data_url(images.preview(row, side=SIDE), exact=False)


def crisp(place: Place) -> bool:
    """Whether the images are so small that they are drawn pixel by pixel."""
    size = place.images.native_size
    return size is not None and size <= CRISP


def picture(subject: Subject, place: Place) -> str:
    """HTML of the query's image."""
    about = escape(", ".join(subject.labels) or "the query")
    kind = "crisp" if crisp(place) else ""
    return f'{html.CSS}<div class="asked {kind}"><img src="{subject.image}" alt="{about}"></div>'
