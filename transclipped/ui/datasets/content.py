"""What a data set contains: numbers of images, labels and queries, sample images, and class counts."""

from __future__ import annotations

import plotly.graph_objects as go
import streamlit as st

from transclipped.analysis import image_sets
from transclipped.datasets.folder import Folder
from transclipped.ui import charts, glossary, presenting
from transclipped.ui.components import gallery
from transclipped.ui.datasets import cached
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.text import for_plotly, plain
from transclipped.ui.theme import IRRELEVANT, RELEVANT

NAMED = 30  # classes whose names fit beside their bars
BAR = 20  # pixels of a named bar
LEGEND = 45  # px, height of a line of legend
SAMPLES = 24
ALL = "all images"
LABELS = "Labels are for display and evaluation only; training never sees them."


def sizes(images, about: dict) -> None:
    """Sizes of the set and of its parts.

    Args:
        about: result of `registry.describe`.
    """
    listed = getattr(images, "listed", len(images))
    metrics = (
        ("Images", f"{len(images):,}", f"Of {listed:,} listed." if listed else None),
        ("Labels", f"{len(images.class_names):,}" if images.class_names else "none", None),
        ("Queries", f"{about['query']:,}", "Images to search with."),
        ("Database", f"{about['database']:,}", "Images that are searched."),
        ("Training", f"{about['train']:,}", "Images in the contrastive loss, without labels."),
    )
    with st.container(horizontal=True, gap="medium"):
        for name, value, meaning in metrics:
            st.metric(name, value, help=meaning, width="content")
    glossary.caption(
        f"Retrieval is measured by [mAP@{about['k']}](mAP@K): over the first {about['k']:,} [hits](hit) of each "
        "[query] in the [database]."
    )
    if about["uses_labels"]:
        st.caption("This protocol samples its training images by label, as the literature does.")


@st.fragment
@shows_input_errors
def samples(images) -> None:
    """Draw random images of all labels or of one."""
    st.header("Sample images")
    with presenting.controls("Which images"):
        label = _label(images)
    rows = image_sets.sample(images, SAMPLES, label=label, page=st.session_state.get("page", 0))
    total = len(image_sets.rows_of_label(images, label))
    st.caption(f"{len(rows)} of {total:,} images, sampled at random. Click one to enlarge it. {LABELS}")
    tiles = [
        gallery.Tile(
            id=f"{images.fingerprint} {row}",
            image=cached.image(images.fingerprint, row, images),
            caption=", ".join(image_sets.labels_of(images, row)[:4]),
            title=str(images.ids[row]),
        )
        for row in rows.tolist()
    ]
    gallery.draw(tiles, key="samples", on_click=_enlarge, hint="Click to enlarge.")
    _enlarged(images)


def _label(images) -> str | None:
    """The chosen label, or None for all images; another press of the button draws others."""
    state = st.session_state
    left, right = st.columns([2, 1], vertical_alignment="bottom")
    names = [ALL, *sorted(images.class_names)]
    if state.get("only") not in names:  # the link names a label of another set
        state.pop("only", None)
    label = left.selectbox("Show", names, key="only", bind="query-params")
    if right.button("Other images", icon=":material/shuffle:", width="stretch"):
        state["page"] = state.get("page", 0) + 1
    return None if label == ALL else label


def _enlarged(images) -> None:
    """The clicked image, its labels, and its path to copy."""
    fingerprint, _, row = st.session_state.get("closer", "").rpartition(" ")
    if fingerprint != images.fingerprint:
        return
    row = int(row)
    with st.container(border=True):
        left, right = st.columns([1, 2])
        left.image(cached.image(images.fingerprint, row, images).file, width="stretch")
        right.markdown(f"**{plain(', '.join(image_sets.labels_of(images, row)) or 'no label')}**")
        path = str(images.path(row)) if isinstance(images, Folder) else f"{images.name} {images.ids[row]}"
        right.code(path, language=None, wrap_lines=True)


def _enlarge(tile: str) -> None:
    st.session_state["closer"] = tile


@st.fragment
@shows_input_errors
def classes(images, about: dict) -> None:
    """Images of each class."""
    st.header("Class counts")
    st.caption(image_sets.label_sentence(images))
    if images.class_names:
        figure = class_counts(about["classes"], key=images.fingerprint)
        charts.show(figure, key="counts", name=f"{images.name}-classes")


@charts.cached_figure
def class_counts(classes: dict[str, dict[str, int]], *, key: str) -> go.Figure:
    """Database and query images of each class as stacked bars, the most frequent first.

    Args:
        classes: counts by class, by role, as in `registry.describe`.
    """
    database, query = classes["database"], classes["query"]
    names = sorted(database, key=lambda name: (-database[name] - query[name], name))
    figure = go.Figure()
    texts, few = list(map(for_plotly, names)), len(names) <= NAMED
    for role, colour in (("database", RELEVANT), ("query", IRRELEVANT)):
        counts = [classes[role][name] for name in names]
        hover = f"%{{customdata}}: %{{{'x' if few else 'y'}:,}} {role}<extra></extra>"
        bar = {"customdata": texts, "name": role, "marker_color": colour, "marker_line_width": 0}
        if few:
            figure.add_bar(y=texts, x=counts, orientation="h", hovertemplate=hover, **bar)
        else:
            figure.add_bar(x=list(range(len(names))), y=counts, hovertemplate=hover, **bar)
    figure.update_layout(barmode="stack", bargap=0.15 if few else 0)
    if few:
        figure.update_yaxes(autorange="reversed", type="category")
        figure = charts.set_layout(figure, "images", "", key=key, room=charts.beside(names) | {"t": LEGEND})
        return figure.update_layout(height=max(charts.HEIGHT // 2, BAR * len(names) + 90))
    title = f"{len(names):,} classes, most frequent first; hover over a bar for its name"
    return charts.set_layout(figure, title, "images", key=key, xaxis_showticklabels=False)
