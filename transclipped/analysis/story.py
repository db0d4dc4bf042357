"""One image's way to its code, its hits and its negatives: everything from retrieval.npz, by NumPy alone.

No network runs and no index is built, so the first page waits for neither; `retrieval.index` is for large databases.
"""

from dataclasses import dataclass

import numpy as np

from transclipped.retrieval.coding import product
from transclipped.retrieval.relevance import relevance
from transclipped.retrieval.store import Retrieval

MOST_SIMILAR = 0.05  # share of the pairs that counts as most similar
LEAST = 100  # queries at least, for a share among their pairs to be significant
SAMPLE = 500  # queries at most: their 250,000 cosines take about ten milliseconds
BINS = 48
TRIED = 50  # queries, for a typical one
HITS = 5  # that a typical query counts
OWN = 2  # negatives of the anchor's class that the strip shows
OTHERS = (0.1, 0.5, 1.0)  # and of other classes: where among them, from the most to the least similar


@dataclass(frozen=True)
class Story:
    """Embedding and code of a stored query.

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
        """Whether the most similar pairs share a class more often than others, among enough queries.

        Pairs of one query are dependent, so the number of queries counts.
        """
        enough = self.n_queries >= LEAST and self.share is not None and self.top_share is not None
        return enough and self.top_share > self.share


@dataclass(frozen=True)
class Negatives:
    """A few negatives of an anchor, most similar first.

    Attributes:
        rows: `[n]` of the stored queries.
        cosine: `[n]`, to the anchor.
        same: whether each shares a class with the anchor, so that it is a false negative; None without labels.
        clipped: whether each is more similar than the border.
    """

    rows: list[int]
    cosine: list[float]
    same: list[bool | None]
    clipped: list[bool]


def story(stored: Retrieval, query: int) -> Story:
    """Sub-vectors, code and codewords of a stored query."""
    m, k, d = stored.codebooks.shape
    embedding = stored.queries[query].astype(np.float32)
    code = product.encode(stored.codebooks, embedding)
    parts, codewords = embedding.reshape(m, d), product.decode(stored.codebooks, code).reshape(m, d)
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


def negatives(stored: Retrieval, anchor: int, border: float) -> Negatives:
    """The two most similar queries of the anchor's class, and three of other classes, from similar to dissimilar.

    Without labels, five of any class. Fewer where there are not as many.
    """
    similarity = _similarity(stored.queries[anchor, None], stored)[0]
    order = np.argsort(-similarity, kind="stable")
    order = order[order != anchor]
    if stored.query_labels is None:
        rows, same = np.concatenate([order[:OWN], _spread(order[OWN:])]), None
    else:
        same = relevance(stored.query_labels[anchor, None], stored.query_labels)[0]
        rows = np.concatenate([order[same[order]][:OWN], _spread(order[~same[order]])])
        rows = rows[np.argsort(-similarity[rows], kind="stable")]
    cosine = similarity[rows]
    shared = [None] * len(rows) if same is None else same[rows].tolist()
    return Negatives(rows.tolist(), cosine.tolist(), shared, (cosine > border).tolist())


def typical(stored: Retrieval, border: float) -> int:
    """The first query that most of its hits share a class with, and of whose negatives only false ones are clipped.

    Query 0 where there is none, or no labels.
    """
    for query in range(min(len(stored.queries), TRIED)):
        few = negatives(stored, query, border)
        right = any(few.same) and few.clipped == few.same
        if right and sum(map(bool, shares_label(stored, query, nearest(stored, query, HITS)[0]))) > HITS / 2:
            return query
    return 0


def pairs(stored: Retrieval) -> Pairs:
    """Similarities of pairs of stored queries, and how often they share a class."""
    queries = stored.queries[:SAMPLE]
    similarity = _similarity(queries, stored, most=SAMPLE)
    upper = np.triu_indices(len(queries), 1)
    values = similarity[upper].clip(-1, 1)
    border = float(np.quantile(values, 1 - MOST_SIMILAR)) if len(values) else 1.0
    edges = np.linspace(min(-0.2, float(values.min(initial=0))), max(0.2, float(values.max(initial=0))), BINS + 1)
    top = values > border
    labels, same, shares = stored.query_labels, np.zeros(len(values), bool), (None, None)
    if labels is not None:
        same = relevance(labels[:SAMPLE], labels[:SAMPLE])[upper]
        shares = [float(pairs.mean()) if len(pairs) else None for pairs in (same, same[top])]
    counts = [np.histogram(values[mask], edges)[0] for mask in (same, ~same)]
    return Pairs(edges, *counts, border, *shares, len(queries), int(top.sum()))


def _similarity(queries: np.ndarray, stored: Retrieval, *, most: int | None = None) -> np.ndarray:
    """Cosines `[n, Q]` of queries `[n, D]` and the stored ones, or the first `most` of these."""
    return queries.astype(np.float32) @ stored.queries[:most].astype(np.float32).T / len(stored.codebooks)


def _spread(rows: np.ndarray) -> np.ndarray:
    """The rows at the places `OTHERS`, or fewer."""
    places = np.multiply(OTHERS, len(rows) - 1).round().astype(int)
    return rows[np.unique(places)] if len(rows) else rows
