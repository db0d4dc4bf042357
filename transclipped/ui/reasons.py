"""Why this hit, drawn: the bits that query and hit share, or the leaves of trees and the questions on the way there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from transclipped.analysis.hashes import Question, questions
from transclipped.analysis.reasons import SharedBits, SharedLeaves
from transclipped.retrieval.stages import State
from transclipped.ui import presenting
from transclipped.ui.pipeline import html
from transclipped.ui.styles import sheet

CSS = sheet(__file__)
SIDES = {False: "first", True: "last"}
NUMBER, LEAF, BYTE = 120, 12, 8  # px of the field for a tree; images of a leaf; bits that stay together


@dataclass(frozen=True)
class Examples:
    """Items that show what a tree asks: its `state`, vectors `[N, F]`, and cells with the images of rows."""

    state: State
    items: np.ndarray
    cells: Callable[[list[int]], list[html.Cell]]
    crisp: bool

    def row(self, rows: np.ndarray, label: str) -> str:
        """HTML of images, without its style sheet."""
        return html.row(self.cells(rows.tolist()), label=label, crisp=self.crisp).removeprefix(html.CSS)


def draw(facts: SharedBits | SharedLeaves, *, key: str, examples: Examples | None) -> str:
    """Draw what query and hit share; returns a sentence to say.

    Args:
        key: of the field for a tree, `?key=` in the address.
        examples: for trees; bits need none.
    """
    st.markdown(sentence(facts))
    if isinstance(facts, SharedBits):
        st.html(bits(facts))
        st.caption("Above, a bit of the query; below, that of the hit. Filled: equal; dashed: different.")
        return f"{facts.distance} of {len(facts.query)} bits differ; counting them is the whole comparison."
    tree = _tree(facts, key)
    st.html(trees(facts, tree))
    st.caption(
        "A column is a tree, from the top down: blue for questions that both answer alike before they part. A line at "
        "its foot: both reach one leaf. A frame marks the tree below."
    )
    steps, leaf = questions(examples.state, examples.items, tree, facts.answers[0, tree])
    st.html(way(facts, tree, steps, examples))
    if len(leaf):
        st.caption(f"The query's leaf: {len(leaf)} images, the first {min(LEAF, len(leaf))} of them here.")
        st.html(html.CSS + examples.row(leaf[:LEAF], "The leaf"))
    return f"{int(facts.same.sum())} of {len(facts.same)} trees put query and hit into one leaf; no distance is needed."


def _tree(facts: SharedLeaves, key: str) -> int:
    """The tree whose questions are shown: by default one in which both go furthest."""
    first, n = int(facts.alike.argmax()) + 1, len(facts.query)
    state, earlier = st.session_state, f"{key} default"
    if key in state and state.get(earlier, (first, n)) != (first, n):  # another query or hit, or other trees
        state[key] = first
    state[earlier] = first, n
    about = f"Tree {first} is the first in which query and hit stay together longest."
    options = {"bind": "query-params", "width": round(NUMBER * presenting.scale()), "help": about}
    return int(st.number_input("Tree", 1, n, first, key=key, **options)) - 1


def sentence(facts: SharedBits | SharedLeaves) -> str:
    """How the score comes about, as Markdown."""
    score = f"{facts.score:.3f}".replace("-", "−")
    if isinstance(facts, SharedBits):
        n, d = len(facts.query), facts.distance
        return f"**{n - d} of {n} bits** agree, **{d}** differ: the score is 1 − 2 · {d} / {n} = {score}."
    same, total, n = int(facts.same.sum()), int(facts.terms.sum()), len(facts.query)
    leaves = f"**{same} of {n} trees** put both into one leaf"
    result = f"the score is {total} / {facts.most} = {score}."
    if not (facts.path and facts.depth):
        return f"{leaves}: {result}"
    alike = f"Query and hit answer {total} of {facts.most} questions alike before they part"
    return f"{leaves}. {alike} ({n} trees of {facts.depth} questions): {result}"


def bits(facts: SharedBits) -> str:
    """Both codes, bit by bit."""
    pairs = zip(facts.query.astype(int).tolist(), facts.item.astype(int).tolist(), strict=True)
    cells = [
        f'<i class="{"equal" if a == b else "differ"}" title="bit {i}: query {a}, hit {b}"><b>{a}</b><b>{b}</b></i>'
        for i, (a, b) in enumerate(pairs, 1)
    ]
    whole = "".join(f"<span>{''.join(cells[i : i + BYTE])}</span>" for i in range(0, len(cells), BYTE))
    places = ", ".join(map(str, (np.flatnonzero(~facts.equal) + 1).tolist())) or "none"
    label = f"{len(facts.query)} bits of query and hit. Different bits: {places}."
    return f'{CSS}<div class="why-bits" role="img" aria-label="{label}">{whole}</div>'


def trees(facts: SharedLeaves, chosen: int) -> str:
    """The trees as columns, and a table of the leaves and terms to unfold."""
    columns, lines, alike = [], [], facts.alike.tolist()
    leaves = zip(facts.query.tolist(), facts.item.tolist(), facts.terms.tolist(), strict=True)
    for t, (query, item, term) in enumerate(leaves):
        kind = " ".join(["same"] * (query == item) + ["chosen"] * (t == chosen))
        share = 100 * alike[t] / facts.depth if facts.depth else 100
        title = f"tree {t + 1}: query in leaf {query}, hit in leaf {item}; {alike[t]} of {facts.depth} answers alike"
        columns.append(f'<i class="{kind}" style="--alike: {share:.4g}%" title="{title}"></i>')
        row = "".join(f"<td>{number}</td>" for number in (t + 1, query, item, alike[t], term))
        lines.append(f'<tr class="{kind}">{row}</tr>')
    n = len(columns)
    label = f"{n} trees, {int(facts.same.sum())} with one leaf for both, {sum(alike) / n:.1f} answers alike on average"
    heads = "".join(f"<th>{name}</th>" for name in ("tree", "query’s leaf", "hit’s leaf", "answers alike", "adds"))
    table = f"<table><tr>{heads}</tr>{''.join(lines)}</table>"
    about = 'class="why-table" tabindex="0" role="group" aria-label="Leaves of all trees"'
    return (
        f'{CSS}<div class="why"><div class="why-trees" role="img" aria-label="{label}">{"".join(columns)}</div>'
        f"<details><summary>All leaves, and what each tree adds</summary><div {about}>{table}</div></details></div>"
    )


def way(facts: SharedLeaves, tree: int, steps: Sequence[Question], examples: Examples) -> str:
    """The questions of a tree on the query's way to its leaf, and where the hit parts from it."""
    query, item = facts.answers[:, tree].tolist()
    alike, lines = int(facts.alike[tree]), []
    for i, question in enumerate(steps):
        kind, hit = "alone", ""
        if i <= alike:
            kind = "alike" if i < alike else "parts"
            hit = f" Hit: {SIDES[item[i]]}." + " Here they part." * (i == alike)
        ends = zip(SIDES.values(), (question.low, question.high), strict=True)
        sides = "".join(
            f"<div><small>{name}</small>{examples.row(rows, f'Question {i + 1}, {name}')}</div>" for name, rows in ends
        )
        about = f"Question {i + 1}, for {question.members:,} images: more like the first, or like the last?"
        text = f"{about} Query: {SIDES[query[i]]}.{hit}"
        lines.append(f'<li class="{kind}"><p>{text}</p><div class="why-sides">{sides}</div></li>')
    leaves = f"Tree {tree + 1}: the query reaches leaf {facts.query[tree]}, the hit leaf {facts.item[tree]}."
    return f'{html.CSS}{CSS}<p>{leaves}</p><ol class="why-way">{"".join(lines)}</ol>'
