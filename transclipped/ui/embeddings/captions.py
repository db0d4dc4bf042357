"""What stands around the maps: what they show, what they must not be read for, and the images that were chosen."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.projections import QUERIES, Map
from transclipped.ui.embeddings.layouts import Layouts
from transclipped.ui.embeddings.subject import Subject
from transclipped.ui.text import plain

WARNING = (
    "**What a map must not be read for:** how large or dense a group is, how wide the gaps are, and where the groups "
    "lie. Only *who is next to whom* counts, as far as the trustworthiness says."
)
TRUST = (
    "Trustworthiness tells how far neighbours on the map are also in the embedding: 1 is perfect, 0.5 chance. UMAP "
    "stretches what is crowded, and what shows at one of its settings alone is the setting's doing."
)


def about(subject: Subject, laid: Layouts, compare: str) -> None:
    """What is drawn, and what cannot be."""
    shown = subject.shown
    *first, last = laid.kinds
    kinds = f"{', '.join(first)} and {last}" if first else last
    what = "queries" if shown.which == QUERIES else "database images"
    what = f"images of *{plain(subject.name)}*" if subject.name else what
    st.caption(
        f"Each point is one of {len(shown):,} {what} by its {kinds} embedding ({laid.method}). Drag to move, wheel to "
        "zoom, point to see, click to ask, shift-drag to choose, Esc to forget."
    )
    absent = [kind for kind in projections.KINDS if kind not in laid.kinds and not laid.missing]
    if absent and compare == "embeddings":
        st.caption(
            f"Not shown: {' and '.join(absent)} embeddings, which are not on this machine for these images. "
            "Training a run on them keeps them."
        )


def warning() -> None:
    """What a map must not be read for."""
    st.caption(WARNING, help=TRUST)


def chosen(subject: Subject, selection: np.ndarray, maps: dict[str, Map], *, name: str) -> None:
    """Buttons that save ids, labels, codes and places.

    Args:
        selection: rows of the subject's items.
        maps: by the name of their panel.
        name: of the files.
    """
    table = projections.selection_table(
        subject.shown, selection, subject.names, {panel: m.xy for panel, m in maps.items()}
    )
    st.caption(f"{len(selection):,} images are chosen: take along their ids, labels, codes and places.")
    left, right, _ = st.columns([1, 1, 3])
    left.download_button("CSV", projections.to_csv(table), f"{name}-chosen.csv", "text/csv", key="csv")
    right.download_button("Parquet", projections.to_parquet(table), f"{name}-chosen.parquet", key="parquet")
