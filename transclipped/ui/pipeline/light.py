"""A section of the Pipeline page: the query answered by the line, which sees what it shows, and by its light."""

from __future__ import annotations

from functools import partial
from html import escape

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import data_url
from transclipped.experiments.pipelines.lighting import Lighting
from transclipped.experiments.pipelines.lighting import light as lighting_of
from transclipped.experiments.pipelines.pipeline import Pipeline
from transclipped.experiments.pipelines.same_light import LINE, SameLight, in_other_light
from transclipped.experiments.pipelines.source import RunSource
from transclipped.retrieval.relevance import relevance
from transclipped.ui import light
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.pipeline import html, ladder
from transclipped.ui.pipeline.data import Place
from transclipped.ui.pipeline.query import SIDE, Subject, crisp, image_of
from transclipped.ui.text import plain


def draw(pipeline: Pipeline, place: Place, subject: Subject) -> None:
    """Both answers, as soon as the light of the database is known."""
    ranker = light.ready(place.key, partial(_opened, pipeline, place), free=light.bundled(place.config))
    if ranker is not None:
        _explore(pipeline, place, subject, ranker)


def _opened(pipeline: Pipeline, place: Place) -> tuple[Lighting, np.ndarray]:
    """What reads the light of the database, and its rows in it."""
    of, images = pipeline.source, place.images
    stored = isinstance(of, RunSource)
    return lighting_of(images), images.rows_of(of.stored.database_ids.tolist()) if stored else of.split.database


def prepare(pipeline: Pipeline, place: Place) -> None:
    """Start to look at the light of a database, so that a visitor need not wait for it."""
    light.work(place.key, partial(_opened, pipeline, place))


@st.fragment
@shows_input_errors
def _explore(pipeline: Pipeline, place: Place, subject: Subject, ranker: SameLight) -> None:
    original = image_of(place, subject)
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with right:
        exposure, warmth = light.sliders()
    image = in_other_light(original, exposure=exposure, warmth=warmth)
    left.html(_picture(image, place))
    moved = bool(exposure or warmth)
    with st.spinner("Searching …"):
        before = pipeline.search(subject.query, light.SHOWN).rows[0]
        after = pipeline.search(image, light.SHOWN).rows[0] if moved else before
    answers = {"Same thing": (str(pipeline), before, after)}
    before, after = (ranker.search([each], light.SHOWN).rows[0] for each in (original, image))
    answers["Same light"] = (LINE, before, after)
    for name, (line, before, after) in answers.items():
        st.header(name)
        st.caption(f"{plain(line)}. {html.FRAMES}{' ' + light.replaced(before, after) if moved else ''}")
        st.html(html.row(_cells(after, pipeline, place, subject), label=name, crisp=crisp(place)))


def _picture(image: Image.Image, place: Place) -> str:
    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    kind = "crisp" if crisp(place) else ""
    url = escape(data_url(small, exact=crisp(place)))
    return f'{html.CSS}<div class="asked {kind}"><img src="{url}" alt="the query in this light"></div>'


def _cells(rows: np.ndarray, pipeline: Pipeline, place: Place, subject: Subject) -> list[html.Cell]:
    labels, own = pipeline.source.labels(), pipeline.source.label_of(subject.query)
    judged = None if labels is None or own is None else relevance(own, labels[1], rows[None])[0]
    return ladder.row_cells(rows, pipeline, place, judged)
