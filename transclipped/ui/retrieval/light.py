"""A section of Retrieval: the same query answered twice, by what it shows and by its light."""

from __future__ import annotations

from functools import partial

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.experiments.pipelines.lighting import Lighting
from transclipped.experiments.pipelines.lighting import light as lighting_of
from transclipped.experiments.pipelines.same_light import Files, SameLight, in_other_light
from transclipped.search.collection import paths_of
from transclipped.search.searcher import Hit
from transclipped.ui import cached, light
from transclipped.ui.components import gallery
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.retrieval import cached as retrieval_cached
from transclipped.ui.retrieval.query import Query, SearchTarget, tiles
from transclipped.ui.retrieval.sections import LABELS, MEDIUM, clickable, share


def draw(target: SearchTarget, query: Query, mask: np.ndarray | None) -> None:
    """Both answers, as soon as the light of the database is known."""
    free = not target.is_collection and light.bundled(target.run.config.data)
    ranker = light.ready(target.key, partial(_opened, target), free=free)
    if ranker is not None:
        _explore(target, query, mask, ranker)


def _opened(target: SearchTarget) -> tuple[Lighting, np.ndarray]:
    """What reads the light of the items, and their rows in it."""
    if target.is_collection:
        images = Files(paths_of(target.searcher.collection), version=target.key)
        return lighting_of(images), np.arange(len(images))
    images = cached.images(cached.run_data(target.run))
    return lighting_of(images), images.rows_of(target.searcher.stored.database_ids.tolist())


@st.fragment
@shows_input_errors
def _explore(target: SearchTarget, query: Query, mask: np.ndarray | None, ranker: SameLight) -> None:
    originals = [image.image() for image in query.images]
    left, right = st.columns([1, 3], gap="medium", vertical_alignment="center")
    with right:
        exposure, warmth = light.sliders()
    images = [in_other_light(image, exposure=exposure, warmth=warmth) for image in originals]
    queries = [gallery.Tile(str(i), gallery.of_image(image), title="the query") for i, image in enumerate(images)]
    with left:
        gallery.draw(queries, key="relit", size=MEDIUM)
    moved = bool(exposure or warmth)
    vector = _embedding(target, query, images, f"{exposure:g} {warmth:g}") if moved else query.embedding
    answers = {
        "Same thing": [_by_code(target, query, each) for each in (query.embedding, vector)],
        "Same light": [_by_light(target, query, ranker, each) for each in (originals, images)],
    }
    for column, (name, (before, hits)) in zip(st.columns(2, gap="medium"), answers.items(), strict=True):
        with column:
            st.header(name)
            st.caption(f"{share(hits, mask)} {_replaced(before, hits) if moved else ''}", help=LABELS)
            clickable(target, tiles(target, hits, mask), key=f"hits {name}", size=MEDIUM)


def _by_code(target: SearchTarget, query: Query, vector: np.ndarray) -> list[Hit]:
    return target.searcher.search(vector, top=light.SHOWN, first=query.ids(target))


def _by_light(target: SearchTarget, query: Query, ranker: SameLight, images: list[Image.Image]) -> list[Hit]:
    hits = ranker.search(images, light.SHOWN)
    return target.searcher.hits(query.embedding, hits.rows[0], hits.scores[0])


def _embedding(target: SearchTarget, query: Query, images: list[Image.Image], how: str) -> np.ndarray:
    """Mean embedding of the query's images in other light."""
    pairs = zip(query.images, images, strict=True)
    vectors = [
        retrieval_cached.embedding(target.key, f"{image.key} {how}", target.searcher, relit.copy)
        for image, relit in pairs
    ]
    return np.mean(vectors, axis=0, dtype=np.float32)


def _replaced(before: list[Hit], after: list[Hit]) -> str:
    rows = (np.array([hit.row for hit in hits], np.int64) for hits in (before, after))
    return light.replaced(*rows)
