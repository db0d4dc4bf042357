"""Words proposed for a query by the labels of its hits, with the images that voted."""

from __future__ import annotations

import numpy as np
import streamlit as st

from transclipped.retrieval.index import Hits
from transclipped.retrieval.keywords import K, Proposal, annotate, keywords
from transclipped.search.searcher import Hit
from transclipped.ui import label_note
from transclipped.ui.retrieval import sections
from transclipped.ui.retrieval.query import Query, SearchTarget, tiles
from transclipped.ui.text import plain

WORDS, VOTERS = 4, 6  # words that are shown, and voters of each
ABOUT = (
    f"Those of the {K} best hits that score higher than hit {K + 1} vote with their labels, weighted by that "
    "difference; if none does, all votes are equal. Only labels of the database vote, never the query's own, and none "
    "takes part in training. Reconstructed from the abstract of Ben Ismail 2011."
)


def draw(target: SearchTarget, query: Query, mask: np.ndarray | None) -> None:
    """The most probable words, each with its voters."""
    label_note.draw("This")
    st.caption(ABOUT)
    labels = target.searcher.stored.database_labels
    if labels is None:
        st.info("These images have no labels, so there are no words to propose.")
        return
    itself = query.ids(target)
    nearest = target.searcher.search(query.embedding, top=K + 1 + len(itself), first=itself)
    hits = [hit for hit in nearest if str(hit.id) not in itself]
    proposals = proposed(hits, labels)
    if not proposals:
        st.info("None of the best hits has a label.")
    for proposal in proposals[:WORDS]:
        _proposal(target, proposal, {hit.row: hit for hit in hits}, mask)


def proposed(hits: list[Hit], labels: np.ndarray) -> list[Proposal]:
    """Words of hits by the labels of the database."""
    scores = np.array([[hit.score for hit in hits]], np.float32).reshape(1, -1)
    rows = np.array([[hit.row for hit in hits]], np.int64).reshape(1, -1)
    return annotate(Hits(scores, rows), keywords(labels))


def _proposal(target: SearchTarget, proposal: Proposal, hits: dict[int, Hit], mask: np.ndarray | None) -> None:
    names = target.searcher.class_names
    name = names[proposal.word] if proposal.word < len(names) else f"class {proposal.word}"
    voters = [hits[row] for row in proposal.voters]
    first = f"; the first {VOTERS} here" if len(voters) > VOTERS else ""
    st.markdown(f"**{plain(name)}** · {proposal.p:.0%}, by {len(voters)} of the best hits{first}")
    images = tiles(target, voters[:VOTERS], mask)
    sections.clickable(target, images, key=f"voters {proposal.word}", size=sections.MEDIUM)
