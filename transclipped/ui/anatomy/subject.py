"""Whom the Anatomy page follows: a stored query, any image of the database, or one that the visitor brings.

The address holds which: `?query=` is the number of a stored query, `?item=` that of a database image, and
`?query_id=` the id of either. A visitor's own image cannot be in a link.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image

from transclipped.datasets.images.decode import square
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher, label_names
from transclipped.ui import absent, cached
from transclipped.ui.components import intake

QUERY, DATABASE, OWN = "query", "database", "upload"
LABELS = "labels are for looking only; the network never saw them."
WAITING = "Choose an image, drop one here, or paste one: it is followed to its code and to its hits."


@dataclass(frozen=True)
class Subject:
    """An image to follow.

    Attributes:
        key: names its content, or its place in the data set.
        caption: what it is, for people.
        image: opens it.
        query: `[D]` float32, its stored continuous embedding; None where the network has to embed it.
        code: `[M]` uint8, the stored code of a database image; None of others.
        address: what a link to Retrieval asks with; empty for a visitor's own.
    """

    key: str
    caption: str
    image: Callable[[], Image.Image]
    query: np.ndarray | None = None
    code: np.ndarray | None = None
    address: tuple[tuple[str, str], ...] = ()


def choose(run: RunDir, engine: Searcher) -> Subject | None:
    """What the address names or the visitor picks; None as long as there is nothing to follow."""
    stored = engine.stored
    kinds = [QUERY] * bool(len(stored.queries)) + [DATABASE] * bool(len(stored.codes)) + [OWN]
    _named(run, stored)
    absent.settle("follow", kinds, kinds[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.segmented_control(
            "Follow", kinds, default=kinds[0], required=True, key="follow", bind="query-params",
            help="An image that the run is asked with and was not trained on, one of those it searches, or your own.",
        ) or kinds[0]  # fmt: skip
        ids = stored.database_ids if kind == DATABASE else stored.query_ids
        number = 0 if kind == OWN else _number(kind, len(ids))
    if kind == OWN:
        return _own(run)
    identity = ids[number].item()
    images = cached.images(cached.run_data(run))
    row = images.row_of(identity)
    labels = label_names(stored.query_labels if kind == QUERY else stored.database_labels, number, engine.class_names)
    caption = (
        f"Its label is {', '.join(labels)}; {LABELS}" if labels else f"{kind.capitalize()} {number} of {run.name}."
    )
    address = ("query_id", str(identity))  # not `query`, which a widget of this page holds as it is left
    if kind == QUERY:
        query = stored.queries[number].astype(np.float32)
        return Subject(f"row {row}", caption, lambda: images.image(row), query, None, (address,))
    return Subject(f"row {row}", caption, lambda: images.image(row), None, stored.codes[number], (address,))


def _named(run: RunDir, stored) -> None:
    """Turn `?query_id=` into the number that it stands for."""
    wanted = st.query_params.get("query_id")
    if wanted is None:
        return
    st.query_params.pop("query_id")
    for kind, key, ids in ((QUERY, "query", stored.query_ids), (DATABASE, "item", stored.database_ids)):
        at = np.flatnonzero(ids.astype(str) == wanted)
        if len(at):
            st.session_state["follow"], st.session_state[key] = kind, int(at[0])
            return
    absent.missing("query_id", wanted)


def _number(kind: str, n: int) -> int:
    key = "query" if kind == QUERY else "item"
    if not 0 <= (st.session_state.get(key) or 0) < n:  # a link to a run with more of them
        st.session_state[key] = 0

    def another() -> None:
        st.session_state[key] = random.randrange(n)

    number = st.number_input(
        "Image", 0, n - 1, key=key, bind="query-params", width=160,
        help=f"Number of a stored query, up to {n - 1:,}." if kind == QUERY else
        f"Number of an image of the database, up to {n - 1:,}.",
    )  # fmt: skip
    st.button("Another one", icon=":material/casino:", on_click=another)
    return int(number or 0)


def _own(run: RunDir) -> Subject | None:
    """A visitor's image, reduced to what the run's own images have."""
    brought = intake.images(key="own-picture", several=False)
    if not brought:
        st.info(WAITING)
        return None
    mine, native = brought[0], run.record.get("native_size")
    caption = f"{mine.name}, your image. A link to this page cannot hold it."
    if native:
        caption += f" It is reduced to {native} × {native} pixels, which is what the run's own have."
    key = f"{mine.digest} {native}"
    return Subject(key, caption, lambda: square(mine.image, native) if native else mine.image)
