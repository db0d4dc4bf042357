"""One image's way to its code, and what it finds: everything from retrieval.npz, by plain arithmetic.

No network runs and nothing is indexed, so that the first page need not wait for either; `retrieval.index` is the search
that scales.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transclipped.retrieval.coding import product
from transclipped.retrieval.relevance import relevance
from transclipped.retrieval.store import Retrieval

MOST_SIMILAR = 0.05  # share of the pairs of which `pairs` tells how many are of one class
LEAST = 100  # queries from which a share among their pairs is read as more than chance
SAMPLE = 500  # queries whose pairs are looked at: 250,000 cosines take some ten milliseconds
BINS = 48


@dataclass(frozen=True)
class Story:
    """A stored query from its embedding to its code.

    Attributes:
        parts: `[M, d]` float32, sub-vectors of unit length.
        codewords: `[M, d]` float32, the most similar codeword of each codebook.
        code: `[M]` uint8, their numbers.
        cosine: `[M]`, of sub-vector and codeword.
        n_codewords: K.
    """

    parts: np.ndarray
    codewords: np.ndarray
    code: np.ndarray
    cosine: np.ndarray
    n_codewords: int


@dataclass(frozen=True)
class Pairs:
    """Similarities of pairs of different queries, as a histogram.

    Attributes:
        edges: `[bins + 1]` cosines.
        same, other: `[bins]` pairs of one class and of different ones; all are in `other` without labels.
        border: cosine above which the most similar 5 % lie.
        share, top_share: pairs of one class among all, and among those; None without labels.
        n_queries, n_top: queries whose pairs these are, and how many of the pairs lie above `border`.
    """

    edges: np.ndarray
    same: np.ndarray
    other: np.ndarray
    border: float
    share: float | None
    top_share: float | None
    n_queries: int = 0
    n_top: int = 0

    @property
    def n_pairs(self) -> int:
        return self.n_queries * (self.n_queries - 1) // 2

    @property
    def tells(self) -> bool:
        """Whether the most similar pairs are of one class more often than others, and enough queries say so.

        Pairs of one query depend on each other, so what counts is how many queries there are.
        """
        enough = self.n_queries >= LEAST and self.share is not None and self.top_share is not None
        return enough and self.top_share > self.share


def story(stored: Retrieval, query: int) -> Story:
    """What the quantizer does to a stored query."""
    m, k, d = stored.codebooks.shape
    asked = stored.queries[query].astype(np.float32)
    code = product.encode(stored.codebooks, asked)
    parts, codewords = asked.reshape(m, d), product.decode(stored.codebooks, code).reshape(m, d)
    return Story(parts, codewords, code, (parts * codewords).sum(1), k)


def nearest(stored: Retrieval, query: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows `[top]` of the most similar items by asymmetric search, ties by row, and their scores in [−1, 1]."""
    scores = product.scores(product.tables(stored.codebooks, stored.queries[query]), stored.codes)
    rows = np.argsort(-scores, kind="stable")[:top]
    return rows, scores[rows]


def shares_label(stored: Retrieval, query: int, rows: np.ndarray) -> list[bool | None]:
    """Whether items share a label with a stored query; None without labels."""
    if stored.query_labels is None or stored.database_labels is None:
        return [None] * len(rows)
    return relevance(stored.query_labels[query, None], stored.database_labels, rows[None])[0].tolist()


def pairs(stored: Retrieval) -> Pairs:
    """How similar pairs of stored queries are, and how often they are of one class."""
    asked = stored.queries[:SAMPLE].astype(np.float32)
    similarity = (asked @ asked.T) / len(stored.codebooks)
    upper = np.triu_indices(len(asked), 1)
    values = similarity[upper].clip(-1, 1)
    border = float(np.quantile(values, 1 - MOST_SIMILAR)) if len(values) else 1.0
    edges = np.linspace(min(-0.2, float(values.min(initial=0))), max(0.2, float(values.max(initial=0))), BINS + 1)
    if stored.query_labels is None:
        counts = np.histogram(values, edges)[0]
        return Pairs(edges, np.zeros_like(counts), counts, border, None, None, len(asked), int((values > border).sum()))
    labels = stored.query_labels[:SAMPLE]
    same, top = relevance(labels, labels)[upper], values > border
    return Pairs(
        edges,
        np.histogram(values[same], edges)[0],
        np.histogram(values[~same], edges)[0],
        border,
        float(same.mean()) if len(same) else None,
        float(same[top].mean()) if top.any() else None,
        len(asked),
        int(top.sum()),
    )
