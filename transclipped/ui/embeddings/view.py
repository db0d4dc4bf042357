"""The visitor's choices as map.js draws them: query, neighbours with distances, and the classes of a selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from transclipped.analysis.maps import projections
from transclipped.analysis.maps.selection import class_counts
from transclipped.ui import presenting
from transclipped.ui.embeddings import visit as visits
from transclipped.ui.embeddings.colours import label_name
from transclipped.ui.embeddings.visit import Visit
from transclipped.ui.text import visible
from transclipped.ui.theme import class_colour

PLACED_BY = 12  # nearest items that place a query on a map
BARS = 12  # classes of a selection, at most


def of(subject, layouts, visit: Visit, query: np.ndarray | None) -> dict[str, Any]:
    """State for map.js; `query` `[D]` is a stored query that is not among the items."""
    items, star = subject.items, None
    if query is not None:
        star = projections.locate_query(items, query, layouts.maps, k=PLACED_BY)
    rows, distances, near = visits.nearest(items, visit, query)
    overlaid = visit.picked is None and query is not None
    return {
        "picked": visit.picked,
        "selection": visit.selection.tolist(),
        "bars": bars(subject, visit.selection),
        "star": star,
        "neighbours": rows.tolist(),
        "distances": [round(distance, 4) for distance in distances.tolist()],
        "near": near,
        "kinds": [{"name": kind, "usable": usable} for kind, usable in visits.kinds(items, overlaid=overlaid)],
        "k": visit.k,
        "counts": list(visits.COUNTS),
        "large": visit.large,
        "lesson": presenting.lesson(),
        "file": subject.name or items.which,
    }


def bars(subject, rows: np.ndarray) -> list[dict[str, Any]]:
    """The most frequent classes of a selection, with their number of images and colour."""
    return [
        {"name": visible(label_name(label, subject.class_names)), "count": count, "colour": class_colour(label)}
        for label, count in class_counts(subject.items, rows)[:BARS]
    ]
