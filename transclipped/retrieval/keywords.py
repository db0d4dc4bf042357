"""Labels as keywords: which words belong to a query, by the words of its hits. Never part of training.

The k best hits vote, the more the more similar they are. With w_i = s_i − s_{k+1}, at least 0, for the hit i, where
s_{k+1} is 0 if there are only k hits, and Z the words of the database's images, a row divided by its sum,

    P(t | q) = Σ_{i ≤ k} w_i Z_it / Σ_{i ≤ k} w_i.

k was chosen by the F₁ of two words on collages of the database, against those that share no photograph with them; there
these votes are better than equal ones. Votes by each hit's typicality of its own neighbours are slightly better, but
need those neighbours.

References:
    Ben Ismail 2011, thesis, University of Louisville: annotation by keywords; reconstructed from
        the abstract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits

K = 50  # hits that vote


@dataclass(frozen=True)
class Proposal:
    """A word proposed for a query.

    Attributes:
        word: its number. p: probability. voters: database rows that vote for it, the strongest first.
    """

    word: int
    p: float
    voters: list[int]


def keywords(labels: np.ndarray, words: int | None = None) -> sp.csr_array:
    """Words of images, `[N, W]` of 0 and 1, from classes `[N]`, −1 for none, or marks `[N, W]`."""
    labels = np.asarray(labels)
    if labels.ndim == 2:
        return sp.csr_array(labels, dtype=np.float64)
    rows = np.flatnonzero(labels >= 0)
    width = max(words or 0, int(labels.max(initial=-1)) + 1)
    return sp.csr_array((np.ones(len(rows)), (rows, labels[rows])), shape=(len(labels), width))


def by_image(words: sp.csr_array) -> sp.csr_array:
    """Z: rows divided by their sum; an image without words keeps none."""
    total = words.sum(1)
    return sp.csr_array(sp.diags_array(1 / np.where(total > 0, total, 1)) @ words)


def votes(hits: Hits, *, k: int = K) -> np.ndarray:
    """Weights w `[Q, k']` of the k' = min(k, K) first hits; equal ones if all are 0."""
    scores = hits.scores.astype(np.float64)
    following = scores[:, k, None] if k < scores.shape[1] else 0.0
    weights = np.maximum(0, scores[:, :k] - following)
    return np.where(weights.sum(1, keepdims=True) > 0, weights, 1.0)


def probabilities(hits: Hits, words: sp.csr_array, *, k: int = K) -> np.ndarray:
    """P(t | q) `[Q, W]`, which sums to at most 1: hits without words vote for none."""
    weights = votes(hits, k=k)
    q, k = weights.shape
    if not k:
        return np.zeros((q, words.shape[1]))
    weights /= weights.sum(1, keepdims=True)
    sparse = sp.csr_array((weights.ravel(), hits.rows[:, :k].ravel(), np.arange(q + 1) * k), (q, words.shape[0]))
    return (sparse @ by_image(words)).toarray()


def annotate(hits: Hits, words: sp.csr_array, *, k: int = K, without: np.ndarray | None = None) -> list[Proposal]:
    """Words proposed for one query, most probable first, each with the images that voted.

    Args:
        hits: of the query, `[1, K]`. words: `[N, W]`. without: rows that may not vote: images of the query itself.

    Raises:
        InputError: hits are of another database, or of several queries.
    """
    if len(hits.rows) != 1 or hits.rows.max(initial=-1) >= words.shape[0]:
        raise InputError(f"need hits of one query among {words.shape[0]} images; search their database again")
    others = ~np.isin(hits.rows[0], [] if without is None else without)
    hits = Hits(hits.scores[:, others], hits.rows[:, others])
    weights, p, first = votes(hits, k=k)[0], probabilities(hits, words, k=k)[0], hits.rows[0, :k]
    share = weights[:, None] * by_image(words)[first].toarray() if len(first) else np.zeros((0, len(p)))
    result = []
    for word in np.argsort(-p, kind="stable")[: int((p > 0).sum())].tolist():
        order = np.argsort(-share[:, word], kind="stable")
        result.append(Proposal(word, float(p[word]), [int(first[i]) for i in order if share[i, word] > 0]))
    return result


def per_word_f1(proposed: np.ndarray, true: np.ndarray) -> float:
    """Mean over words of 2 TP / (2 TP + FP + FN), of marks `[Q, W]`; words that occur in neither are left out."""
    proposed, true = np.asarray(proposed, bool), np.asarray(true, bool)
    both, either = (proposed & true).sum(0), proposed.sum(0) + true.sum(0)
    return float((2 * both[either > 0] / either[either > 0]).mean()) if (either > 0).any() else 0.0


def best_words(p: np.ndarray, n: int) -> np.ndarray:
    """Marks `[Q, W]` of the n most probable words of each query, without those of probability 0."""
    marks = np.zeros(p.shape, bool)
    np.put_along_axis(marks, np.argsort(-p, 1, kind="stable")[:, :n], True, 1)
    return marks & (p > 0)
