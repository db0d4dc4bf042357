"""The least and the most typical images of the map's items, as galleries."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import outliers
from transclipped.analysis.maps.projections import BACKBONE, CONTINUOUS, QUANTIZED
from transclipped.analysis.outliers import K, Outliers
from transclipped.ui import glossary
from transclipped.ui.components import gallery
from transclipped.ui.embeddings import visit as visits
from transclipped.ui.embeddings.controls import Subject
from transclipped.ui.embeddings.visit import Visit
from transclipped.ui.text import plain

KEY = "map_typical"  # in the address
LEAST, MOST = 24, 12  # images shown
FEW = 3  # fewest images that are compared
NAMED = 3  # neighbours in the tooltip
ABOUT = (
    f"An image is typical if others are like it. With D its mean distance (1 − [cosine]) to its {K} nearest "
    "neighbours, and η the median of D, its typicality is 1 / (1 + D / η): 0.5 at the median, nearly 1 among "
    "duplicates, nearly 0 for an image like no other. No label is used. Typicality as in possibilistic clustering "
    "(Krishnapuram & Keller 1993; Ben Ismail & Frigui 2014), with an image's nearest neighbours in place of a cluster."
)
HINT = "Make it the query on the map"


def draw(subject: Subject, visited: Visit, key: str) -> None:
    """A switch, and below it both galleries; `key` is that of the map, on which a click makes an image the query."""
    name = "The least and the most typical images"
    if not st.toggle(name, key=KEY, bind="query-params", help="Outliers among the images of the map."):
        return
    glossary.paragraph(ABOUT)
    kind = next(each for each in (CONTINUOUS, QUANTIZED, BACKBONE) if each in subject.items.vectors)
    n = len(subject.items)
    if n < FEW:
        st.info(f"Typicality compares at least {FEW} images. Choose others above.")
        return
    result = _outliers(f"{subject.version} {kind}", subject.items.vectors[kind])

    def pick(identity: str) -> None:
        visits.pick(subject.items, key, subject.version, row=int(identity), near=kind)

    def tiles(rows: list[int]) -> list[gallery.Tile]:
        return [_tile(subject, result, row, on=row == visited.picked) for row in rows]

    left, right = st.columns([5, 4], gap="medium")
    with left:
        st.header("Least typical")
        gallery.draw(tiles(result.least(min(LEAST, n // 2))), key="least typical", on_click=pick, hint=HINT)
    with right:
        st.header("Most typical")
        gallery.draw(tiles(result.most(min(MOST, n // 2))), key="most typical", on_click=pick, hint=HINT)
    st.caption(
        f"Of {n:,} images, by their {plain(kind)} embedding. Below each: its typicality. Point at an image for its "
        "nearest neighbours; click it to see them below the map."
    )


@st.cache_resource(max_entries=8, show_spinner="Comparing each image with all others …")
def _outliers(version: str, _vectors: np.ndarray) -> Outliers:
    return outliers.outliers(_vectors)


def _tile(subject: Subject, result: Outliers, row: int, *, on: bool) -> gallery.Tile:
    """An image, its typicality, and in the tooltip its nearest neighbours with their distances."""
    names = subject.items.ids
    near = zip(result.neighbours[row][:NAMED].tolist(), result.distances[row].tolist(), strict=False)
    nearest = ", ".join(f"{names[other]} ({distance:.3f})" for other, distance in near)
    image = gallery.of_row(subject.data, int(subject.rows[row]))
    title = f"image {names[row]}; nearest, with distance: {nearest}"
    return gallery.Tile(str(row), image, f"{result.u[row]:.3f}", title=title, on=on)
