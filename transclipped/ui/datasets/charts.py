"""Figures of the Data sets page."""

from __future__ import annotations

import plotly.graph_objects as go

from transclipped.ui.charts import HEIGHT, cached_figure, set_layout
from transclipped.ui.text import for_plotly
from transclipped.ui.theme import IRRELEVANT, RELEVANT

NAMED = 30  # classes whose names fit beside their bars
BAR = 20  # pixels of a named bar
SIDES = (("database", "searched", RELEVANT), ("query", "asks", IRRELEVANT))


@cached_figure
def class_counts(classes: dict[str, dict[str, int]], *, key: str) -> go.Figure:
    """Images of each class, the most frequent first: searched and asking ones behind each other.

    Args:
        classes: counts by class, by role, as `registry.describe` gives them.
    """
    database, query = classes["database"], classes["query"]
    names = sorted(database, key=lambda name: (-database[name] - query[name], name))
    figure = go.Figure()
    texts, few = list(map(for_plotly, names)), len(names) <= NAMED
    for role, title, colour in SIDES:
        counts = [classes[role][name] for name in names]
        hover = f"%{{customdata}}: %{{{'x' if few else 'y'}:,}} {title}<extra></extra>"
        bar = {"customdata": texts, "name": title, "marker_color": colour, "marker_line_width": 0}
        if few:
            figure.add_bar(y=texts, x=counts, orientation="h", hovertemplate=hover, **bar)
        else:
            figure.add_bar(x=list(range(len(names))), y=counts, hovertemplate=hover, **bar)
    figure.update_layout(barmode="stack", bargap=0.15 if few else 0)
    if few:
        figure.update_yaxes(autorange="reversed", type="category")
        figure = set_layout(figure, "pictures", "", key=key)
        return figure.update_layout(height=max(HEIGHT // 2, BAR * len(names) + 90))
    title = f"{len(names):,} classes, most frequent first; point at a bar for its name"
    return set_layout(figure, title, "pictures", key=key, xaxis_showticklabels=False)
