"""Which rankers to fuse: the graph of rankers, and the score that lists predict against the mAP that labels show."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.experiments.pipelines.rankers import Rankers, read
from transclipped.ui import charts, presenting
from transclipped.ui.glossary import paragraph
from transclipped.ui.pipeline import sayings
from transclipped.ui.text import for_plotly, plain
from transclipped.ui.theme import IRRELEVANT, NEUTRAL, RELEVANT
from transclipped.utils.files import ASSETS

FILE = ASSETS / "pipeline" / "rankers-caltech101.json"
BETA = "beta"
EDGES = 8  # pairs that the graph draws
ABOUT = (
    "Which two [rankers](ranker) are worth fusing? Two numbers, both from ranked lists alone: how well the lists of "
    "one agree with themselves (e, its effectiveness), and how much two rankers agree (ρ). A pair scores "
    "e₁ e₂ / (1 + ρ)^β."
)


def draw() -> None:
    """The slider, both charts, and what is chosen."""
    if not FILE.exists():
        st.info(f"{plain(FILE.name)} is missing; restore it from the project to see measured rankers.")
        return
    rankers = _read(str(FILE), FILE.stat().st_mtime_ns)
    paragraph(ABOUT)
    _explore(rankers)
    presenting.say(sayings.SELECT)


@st.cache_resource(max_entries=2, show_spinner=False)
def _read(path: str, stamp: int) -> Rankers:
    return read(Path(path))


@st.fragment
def _explore(rankers: Rankers) -> None:
    about = "Below 0, agreement is rewarded; above 0, difference; at 0 only effectiveness counts. The authors take −1."
    beta = st.slider("β", -6.0, 6.0, -1.0, 0.5, key=BETA, bind="query-params", help=about)
    a, b = rankers.best(beta)
    first, second = (plain(rankers.names[i]) for i in (a, b))
    single, again = int(rankers.map_r.argmax()), int(rankers.reranked.argmax())
    st.markdown(
        f"Chosen: **{first} + {second}**. Fused: mAP-min@{rankers.k} **{rankers.pairs[a, b]:.3f}**. The best "
        f"single ranker is {plain(rankers.names[single])} with {rankers.map_r[single]:.3f}; re-ranked alone by the "
        f"rounds of the fusion, the best is {plain(rankers.names[again])} with {rankers.reranked[again]:.3f}. Over all "
        f"pairs, predicted score and mAP-min have rank correlation {rankers.agreement(beta):.2f}."
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.header("The graph")
        st.caption(f"Points: rankers, larger where e is. Lines: the {EDGES} best pairs; blue: the chosen one.")
        charts.show(graph(rankers, beta), key="rankers", name="pipeline-rankers")
    with right:
        st.header("Predicted and true")
        st.caption("A point is a pair. The score uses lists only; mAP-min is observed with labels.")
        charts.show(scatter(rankers, beta), key="pairs", name="pipeline-pairs")
    paragraph(
        "mAP-min@K is the mean over [queries](query) of the sum of precisions at the [relevant] hits within K, divided "
        f"by min(K, R), with R relevant images in the [database]. {len(rankers.names)} rankers on Caltech-101; pairs "
        "are fused by cprr-fusion; e is reciprocal and ρ is RBO, at 50 neighbours. Source: doi "
        "10.1016/j.neucom.2019.09.065."
    )


def graph(rankers: Rankers, beta: float) -> go.Figure:
    """Rankers on a circle, and the pairs of the largest predicted scores."""
    n = len(rankers.names)
    angle = np.pi / 2 - 2 * np.pi * np.arange(n) / n
    x, y = np.cos(angle), np.sin(angle)
    scores, figure = rankers.scores(beta), go.Figure()
    best = sorted(combinations(range(n), 2), key=lambda pair: -scores[pair])[:EDGES]
    for place, (a, b) in reversed(list(enumerate(best))):
        line = {"color": NEUTRAL if place else RELEVANT, "width": 5 if place == 0 else 1.5}
        name = for_plotly(f"{rankers.names[a]} + {rankers.names[b]}")
        figure.add_scatter(x=x[[a, b]], y=y[[a, b]], mode="lines", line=line, name=name, hoverinfo="name")
    size = 10 + 24 * rankers.effectiveness / rankers.effectiveness.max()
    texts = [for_plotly(name) for name in rankers.names]
    where = ["middle right" if value > 0.01 else "middle left" if value < -0.01 else "top center" for value in x]
    hover = [f"e = {e:.3f}, mAP-min = {m:.3f}" for e, m in zip(rankers.effectiveness, rankers.map_r, strict=True)]
    figure.add_scatter(
        x=x,
        y=y,
        mode="markers+text",
        text=texts,
        textposition=where,
        hovertext=hover,
        hoverinfo="text+name",
        marker={"size": size, "color": RELEVANT},
        name="rankers",
        cliponaxis=False,
    )
    hidden = {"visible": False, "range": [-2.1, 2.1]}
    charts.set_layout(figure, "", "", key="rankers", showlegend=False, xaxis=hidden)
    figure.update_layout(yaxis={"visible": False, "range": [-1.35, 1.35]}, height=380)
    return figure


def scatter(rankers: Rankers, beta: float) -> go.Figure:
    """Predicted score and true mAP of each pair."""
    pairs = list(combinations(range(len(rankers.names)), 2))
    scores, chosen, figure = rankers.scores(beta), rankers.best(beta), go.Figure()
    for name, group, colour, size in (
        ("other pairs", [pair for pair in pairs if pair != chosen], NEUTRAL, 9),
        ("chosen pair", [chosen], RELEVANT, 15),
    ):
        texts = [for_plotly(f"{rankers.names[a]} + {rankers.names[b]}") for a, b in group]
        figure.add_scatter(
            x=[float(scores[pair]) for pair in group],
            y=[float(rankers.pairs[pair]) for pair in group],
            mode="markers",
            name=name,
            text=texts,
            marker={"size": size, "color": colour},
        )
    best = float(rankers.reranked.max())
    figure.add_hline(y=best, line={"dash": "dash", "color": IRRELEVANT})
    place = {"x": 1, "xref": "paper", "xanchor": "right", "y": best, "yanchor": "bottom", "showarrow": False}
    figure.add_annotation(text="best single ranker, re-ranked", **place)
    charts.set_layout(figure, "predicted score, without labels", f"mAP-min@{rankers.k}", key=f"pairs {beta}")
    figure.update_layout(height=380)
    return figure
