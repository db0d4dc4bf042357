"""The image that the Anatomy page follows: a stored query, a database image, or an upload.

In the address, `?query=` is the number of a stored query, `?item=` that of a database image, and `?query_id=` the ID of
either. An uploaded image cannot be linked to.
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

QUERY, DATABASE, UPLOAD = "query", "database", "upload"
KEYS = {QUERY: "query", DATABASE: "item"}  # widget keys, and names in the address
SOURCES = "Follow a stored query (not used in training), an image of the database, or your own image."


@dataclass(frozen=True)
class Subject:
    """An image to follow.

    Attributes:
        key: cache key of its content.
        caption: describes it on the page.
        image: opens it.
        query: `[D]` float32, its stored continuous embedding, or None.
        code: `[M]` uint8, its stored code, or None.
        address: query parameters of a link to Retrieval; empty for an upload.
    """

    key: str
    caption: str
    image: Callable[[], Image.Image]
    query: np.ndarray | None = None
    code: np.ndarray | None = None
    address: tuple[tuple[str, str], ...] = ()


def choose(run: RunDir, searcher: Searcher) -> Subject | None:
    """The image that the visitor or the address selects; None until there is one."""
    stored = searcher.stored
    kinds = [QUERY] * bool(len(stored.queries)) + [DATABASE] * bool(len(stored.codes)) + [UPLOAD]
    _resolve_id(stored)
    absent.settle("follow", kinds, kinds[0])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        options = {"required": True, "key": "follow", "bind": "query-params", "help": SOURCES}
        kind = st.segmented_control("Follow", kinds, default=kinds[0], **options) or kinds[0]
        ids = stored.database_ids if kind == DATABASE else stored.query_ids
        number = 0 if kind == UPLOAD else _number(kind, len(ids))
    if kind == UPLOAD:
        return _upload(run)
    identity = ids[number].item()
    images = cached.images(cached.run_data(run))
    row = images.row_of(identity)
    labels = stored.query_labels if kind == QUERY else stored.database_labels
    names = ", ".join(label_names(labels, number, searcher.class_names))
    caption = f"{kind.capitalize()} {number} of {run.name}."
    if names:
        label = "label is" if ", " not in names else "labels are"
        caption = f"Its {label} {names}; labels are not used in training."
    query, code = (stored.queries[number].astype(np.float32), None) if kind == QUERY else (None, stored.codes[number])
    address = (("query_id", str(identity)),)  # not `query`, which still belongs to a widget when this page is left
    return Subject(f"row {row}", caption, lambda: images.image(row), query, code, address)


def _resolve_id(stored) -> None:
    """Replace `?query_id=` by the number of that image."""
    identity = st.query_params.get("query_id")
    if identity is None:
        return
    st.query_params.pop("query_id")
    for kind, ids in ((QUERY, stored.query_ids), (DATABASE, stored.database_ids)):
        matches = np.flatnonzero(ids.astype(str) == identity)
        if len(matches):
            st.session_state["follow"], st.session_state[KEYS[kind]] = kind, int(matches[0])
            return
    absent.missing("query_id", identity)


def _number(kind: str, n: int) -> int:
    key = KEYS[kind]
    if not 0 <= (st.session_state.get(key) or 0) < n:  # a link to a run with more of them
        st.session_state[key] = 0

    def another() -> None:
        st.session_state[key] = random.randrange(n)

    about = f"Number of a {'stored query' if kind == QUERY else 'database image'}, up to {n - 1:,}."
    number = st.number_input("Image", 0, n - 1, key=key, bind="query-params", width=160, help=about)
    st.button("Another one", key="another", icon=":material/casino:", on_click=another)
    return int(number or 0)


def _upload(run: RunDir) -> Subject | None:
    """An uploaded image, reduced to the size of the run's own images."""
    uploads = intake.images(key="own-picture", several=False)
    if not uploads:
        st.info("Choose, drop or paste an image to see its code and its hits.")
        return None
    upload, size = uploads[0], run.record.get("native_size")
    caption = f"{upload.name}, your image. Links to this page cannot include it."
    if size:
        caption += f" It is reduced to {size} × {size} pixels, the size of the run's images."
    return Subject(f"{upload.digest} {size}", caption, lambda: square(upload.image, size) if size else upload.image)
