"""Hashes and trees on Codebooks: why a hit is one, by bits or by trees, on a part of the lab set."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.analysis import hashes
from transclipped.analysis.reasons import TREES, why
from transclipped.datasets.images.decode import data_address
from transclipped.features import labset
from transclipped.retrieval.vectors import unit
from transclipped.ui import cached, glossary, links, presenting, reasons
from transclipped.ui.guard import shows_input_errors
from transclipped.ui.pipeline import html

NAMES = {"trees": "Random trees", "udh": "UDH", "strp": "ST-RPNN"}
ABOUT = {
    "trees": "A tree is a [codebook] and a leaf a [codeword]: a tree asks six questions, each about a random direction "
    "of the [embedding]. The score is the share of questions that query and hit answer alike before they part.",
    "udh": "A bit is a [codebook] of two [codewords](codeword). UDH learns 32 bits that predict clusters, and clusters "
    "again by what the bits describe. The score is the share of bits that agree, less the share that differ.",
    "strp": "A bit is a [codebook] of two [codewords](codeword). Of 2,048 random bits, ST-RPNN keeps 32 that "
    "neighbours share and random pairs do not. The score is the share of bits that agree, less the share that differ.",
}
SHOWN, CLASSES, MEMBERS = 8, 8, 12  # hits, pseudo-classes, images of a pseudo-class
NUMBER = 120  # px of a field for a number
LABELS = "Observed with labels, which no code sees."


@st.fragment
@shows_input_errors
def draw() -> None:
    """A query, its hits by a code, and why the chosen one is among them."""
    st.header("Hashes and trees")
    name, query, hit = _choices()
    code, lab = _code(name), _lab()
    glossary.paragraph(ABOUT[name])
    vector = unit(lab.query_features[query : query + 1])[0]
    scores, rows = code.hits(vector, SHOWN)
    labels = lab.labels[rows]
    _row([int(lab.query_rows[query])], "The query")
    st.caption(f"The query, and its {len(rows)} best of {len(code.items):,} images. {html.FRAMES} {LABELS}")
    own = lab.query_labels[query]
    _row(lab.rows[rows].tolist(), "Its hits", relevant=[bool(label == own) for label in labels])
    st.header(f"Why hit {hit:d}, with the score {float(scores[hit - 1]):.3f}")
    facts = why(name, code.index, vector, int(rows[hit - 1]), code.options)
    examples = reasons.Examples(code.state, code.items, lambda rows: _cells(lab.rows[rows].tolist()), crisp=True)
    presenting.say(reasons.draw(facts, key="tree", examples=examples))
    if name == "udh":
        _pseudo_classes(code)


def _choices() -> tuple[str, int, int]:
    with presenting.controls("Code, query and hit"), st.container(horizontal=True, vertical_alignment="bottom"):
        name = links.choose(st.segmented_control, "Code", NAMES, key="hash", default=TREES, required=True)
        options = {"bind": "query-params", "width": round(NUMBER * presenting.scale())}
        query = st.number_input("Query", 0, len(_lab().query_rows) - 1, 0, key="hash_query", **options)
        hit = st.number_input("Hit", 1, SHOWN, 1, key="hash_hit", **options)
    return name, int(query), int(hit)


@st.cache_resource(max_entries=1, show_spinner=False)
def _lab() -> labset.LabSet:
    return labset.load()


@st.cache_resource(max_entries=len(NAMES), show_spinner="Fitting the code …")
def _code(name: str) -> hashes.Code:
    return hashes.hashed(name, _lab())


@st.cache_data(max_entries=1, show_spinner="Clustering …")
def _classes() -> np.ndarray:
    return hashes.pseudo_classes(_code("udh"))


def _pseudo_classes(code: hashes.Code) -> None:
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
        _row(lab.rows[np.flatnonzero(classes == number)[:MEMBERS]].tolist(), f"Pseudo-class of {int(size)} images")


def _row(rows: list[int], label: str, *, relevant: list[bool] | None = None) -> None:
    """Images of CIFAR-10 in a row."""
    st.html(html.row(_cells(rows, relevant), label=label, crisp=True))


def _cells(rows: list[int], relevant: list[bool] | None = None) -> list[html.Cell]:
    images = cached.images(cached.named_data(labset.DATA))
    marks = relevant or [None] * len(rows)
    return [
        html.Cell(data_address(images.encoded(row), "image/jpeg"), f"image {images.ids[row]}", mark, 0)
        for row, mark in zip(rows, marks, strict=True)
    ]
