"""Hashes and trees on Codebooks: why a hit is one, by bits or by trees, on a part of the lab set."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from transclipped.analysis import hashes
from transclipped.datasets.images.decode import data_address
from transclipped.features import labset
from transclipped.ui import cached, charts, glossary, links, presenting
from transclipped.ui.codebooks import charts as figures
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.pipeline import html
from transclipped.ui.theme import NEUTRAL, RELEVANT

NAMES = {"trees": "Random trees", "udh": "UDH", "strp": "ST-RPNN"}
ABOUT = {
    "trees": "A tree is a [codebook] and a leaf a [codeword]: a tree asks six questions, each about a random direction "
    "of the [embedding]. The score is the share of questions that query and hit answer alike before they part.",
    "udh": "A bit is a [codebook] of two [codewords](codeword). UDH learns 32 bits that predict clusters, and clusters "
    "again by what the bits describe. The score is the share of bits that agree, less the share that differ.",
    "strp": "A bit is a [codebook] of two [codewords](codeword). Of 2,048 random bits, ST-RPNN keeps 32 that "
    "neighbours share and random pairs do not. The score is the share of bits that agree, less the share that differ.",
}
SHOWN, CLASSES, LEAF = 8, 8, 12  # hits, pseudo-classes, images of a leaf or a pseudo-class
SIDES = {False: "first", True: "last"}
HEIGHT, WIDE, NUMBER = 170, 960, 120  # px, of the bar code, of charts, and of a number
COLOURS = [[0, NEUTRAL], [1, RELEVANT]]  # of bits 0 and 1
LABELS = "Observed with labels, which no code sees."


@st.fragment
@shows_input_errors
def draw() -> None:
    """A query, its hits by a code, and why the chosen one is among them."""
    st.header("Hashes and trees")
    name, query, hit = _choices()
    code, lab = _code(name), _lab()
    glossary.paragraph(ABOUT[name])
    scores, rows = code.hits(query, SHOWN)
    labels = lab.labels[rows]
    _row([int(lab.query_rows[query])], "The query")
    st.caption(f"The query, and its {len(rows)} best of {len(code.items):,} images. {html.FRAMES} {LABELS}")
    own = lab.query_labels[query]
    _row(lab.rows[rows].tolist(), "Its hits", relevant=[bool(label == own) for label in labels])
    row, score = int(rows[hit - 1]), float(scores[hit - 1])
    if name == hashes.TREES:
        _trees(code, query, row, f"Hit {hit} has the score {score:.2f}")
    else:
        _bits(code, query, row, f"Hit {hit} has the score {score:.2f}")
    if name == "udh":
        _pseudo_classes(code)


def _choices() -> tuple[str, int, int]:
    with presenting.controls("Code, query and hit"), st.container(horizontal=True, vertical_alignment="bottom"):
        name = links.choose(st.segmented_control, "Code", NAMES, key="hash", default=hashes.TREES, required=True)
        options = {"bind": "query-params", "width": round(NUMBER * presenting.scale())}
        query = st.number_input("Query", 0, len(_lab().query_rows) - 1, 0, key="hash_query", **options)
        hit = st.number_input("Hit", 1, SHOWN, 1, key="hash_hit", **options)
    return name, int(query), int(hit)


@st.cache_resource(max_entries=1, show_spinner=False)
def _lab() -> labset.LabSet:
    return labset.load()


@st.cache_resource(max_entries=len(NAMES), show_spinner="Fitting the code …")
def _code(name: str) -> hashes.Hashed:
    return hashes.hashed(name, _lab())


@st.cache_data(max_entries=1, show_spinner="Clustering …")
def _classes() -> np.ndarray:
    return hashes.pseudo_classes(_code("udh"))


def _trees(code: hashes.Hashed, query: int, row: int, start: str) -> None:
    """How many trees agree, and the questions of one of them."""
    agree = hashes.trees_agree(code, query, row)
    st.markdown(f"{start}: **{int(agree.sum())} of {len(agree)} trees** put both into one leaf.")
    first = int(np.flatnonzero(agree)[0]) + 1 if agree.any() else 1
    options = {"bind": "query-params", "width": round(NUMBER * presenting.scale())}
    about = f"Such as {first}, the first one that puts both into one leaf."
    tree = int(st.number_input("Tree", 1, len(agree), first, key="tree", help=about, **options)) - 1
    asked, leaf = hashes.questions(code, tree, query, row)
    lab = _lab()
    for number, question in enumerate(asked, start=1):
        hit = "" if question.item is None else f" Hit: {SIDES[question.item]}."
        st.caption(
            f"Question {number}, for {question.members:,} images: more like the first four, or like the last four? "
            f"Query: {SIDES[question.query]}.{hit}"
        )
        left, right = st.columns(2)
        with left:
            _row(lab.rows[question.low].tolist(), f"Question {number}, first")
        with right:
            _row(lab.rows[question.high].tolist(), f"Question {number}, last")
    st.caption(f"The query's leaf: {len(leaf)} images, the first {min(LEAF, len(leaf))} of them here.")
    _row(lab.rows[leaf[:LEAF]].tolist(), "The leaf")
    presenting.say(
        f"{int(agree.sum())} of {len(agree)} trees put query and hit into one leaf; no distance is computed."
    )


def _bits(code: hashes.Hashed, query: int, row: int, start: str) -> None:
    """The bits of query and hit as a bar code, and which agree."""
    both = hashes.bits(np.stack([code.queries[query], code.items[row]]), code.state)
    same = int((both[0] == both[1]).sum())
    st.markdown(f"{start}: **{same} of {both.shape[1]} bits** agree. Blue: 1, grey: 0.")
    with st.container(width=round(WIDE * presenting.scale())):
        charts.show(bar_code(both, key=f"{code.name} {query} {row}"), key="bar code", name=f"{code.name}-bits")
    presenting.say(f"{same} of {both.shape[1]} bits agree; four bytes an image are enough to find it.")


@charts.cached_figure
def bar_code(both: np.ndarray, *, key: str) -> go.Figure:
    """Bits of query and hit `[2, bits]`, and below them where they agree."""
    z = np.stack([both[0] == both[1], both[1], both[0]]).astype(int)
    options = {"y": ["agree", "hit", "query"], "x": np.arange(1, both.shape[1] + 1), "showscale": False}
    options |= {"zmin": 0, "zmax": 1, "colorscale": COLOURS, "xgap": 2, "ygap": 6}
    figure = figures.heatmap(z, unit="bit", hover="bit %{x}, %{y}: %{z}", **options)
    figure = charts.set_layout(figure, "bit", "", key=key)
    return figure.update_layout(height=HEIGHT).update_yaxes(showgrid=False)


def _pseudo_classes(code: hashes.Hashed) -> None:
    """Rows of images of the largest pseudo-classes, with their purity."""
    lab, classes = _lab(), _classes()
    names, sizes, purity = hashes.purities(classes, lab.labels[: len(classes)])
    st.header("Pseudo-classes")
    mean = float((sizes * purity).sum() / sizes.sum())
    st.caption(
        f"The clusters that the bits predict, the {CLASSES} largest of {len(names)}. Mean purity {mean:.0%}: the share "
        f"of images in the most frequent class of their cluster. {LABELS}"
    )
    for number, size, share in zip(names[:CLASSES], sizes[:CLASSES], purity[:CLASSES], strict=True):
        st.caption(f"{int(size)} images, purity {float(share):.0%}")
        _row(lab.rows[np.flatnonzero(classes == number)[:LEAF]].tolist(), f"Pseudo-class of {int(size)} images")


def _row(rows: list[int], label: str, *, relevant: list[bool] | None = None) -> None:
    """Images of CIFAR-10 in a row."""
    images = cached.images(cached.named_data(labset.DATA))
    marks = relevant or [None] * len(rows)
    cells = [
        html.Cell(data_address(images.encoded(row), "image/jpeg"), f"image {images.ids[row]}", mark, 0)
        for row, mark in zip(rows, marks, strict=True)
    ]
    st.html(html.row(cells, label=label, crisp=True))
