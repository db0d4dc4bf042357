"""Similarities of images and of keywords that improve each other: images are alike if their words are, and conversely.

With S_v `[n, n]` the similarity of images, S_t `[W, W]` that of words, and Z `[n, W]` the words of each image, its rows
divided by their sum,

    S_v ← a S_v⁰ + (1 − a) λ_v Z S_t Zᵀ,    S_t ← b S_t⁰ + (1 − b) λ_t Zᵀ S_v Z,

both from the matrices of the round before. λ makes the largest entry of a product 1, so that similarities up to 1 stay
so. S_v keeps the k largest entries of each row, and is symmetric: an entry stays if one of its two rows keeps it.

As a re-ranking, the rounds run on the database alone. A query joins them once, at the end: its row of Z, z, is what its
hits vote for (`retrieval.keywords`), and its hits are scored by a s⁰ + (1 − a) λ z S_t Zᵀ, s⁰ and the product up to 1.

This uses labels of the database as keywords, unlike all other stages. A query's own label never votes: an item that is
searched with by its id is left out of the hits that do. Labels take no part in training.

References:
    Wang, Ma, Xue & Li 2004, "Multi-model similarity propagation and its application for web image retrieval",
    ACM Multimedia, doi 10.1145/1027527.1027746: the idea. The rounds, and how a query joins, are
    reconstructed from the abstract.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits, ordered
from transclipped.retrieval.keywords import by_image, probabilities
from transclipped.retrieval.lists import matrix, own_lists, parts, start
from transclipped.retrieval.stages import Collection, stage

VOTERS = 20  # of a re-ranking, hits that vote, and entries of a row of S_v


@dataclass(frozen=True)
class Propagated:
    """Similarities after all rounds.

    Attributes:
        images: S_v, sparse `[n, n]` float64, symmetric. words: S_t, `[W, W]` float64, symmetric.
    """

    images: sp.csr_array
    words: np.ndarray


def propagate(
    visual: sp.csr_array | np.ndarray,
    words: sp.csr_array | np.ndarray,
    *,
    word_similarity: np.ndarray | None = None,
    a: float = 0.7,
    b: float = 0.7,
    rounds: int = 10,
    k: int = 200,
) -> Propagated:
    """Similarities of images and words after some rounds.

    Args:
        visual: S_v⁰ `[n, n]`, from 0 to 1; the mean with its transpose is taken.
        words: which words an image has, `[n, W]`, not negative.
        word_similarity: S_t⁰ `[W, W]` from 0 to 1, symmetric; None for words that are alike only to themselves.
        a, b: share of the first similarity that stays, of images and of words. k: entries of a row of S_v.

    Raises:
        InputError: shapes disagree, a number is not finite or out of range.
    """
    visual, words = sp.csr_array(visual, dtype=np.float64), sp.csr_array(words, dtype=np.float64)
    first = np.eye(words.shape[1]) if word_similarity is None else np.asarray(word_similarity, np.float64)
    _check(visual, words, first)
    for name, value, low, high in (("a", a, 0, 1), ("b", b, 0, 1), ("rounds", rounds, 0, 1000), ("k", k, 1, np.inf)):
        if not low <= value <= high:
            raise InputError(f"{name} is {value}, but must be from {low} to {high}")
    links = by_image(words)  # Z
    begin = images = sp.csr_array((visual + visual.T) / 2)
    similarity = first
    for _ in range(rounds):
        moved = images if a == 1 else _images(begin, links, similarity, a, k)
        similarity = b * first + (1 - b) * _largest_one((links.T @ images @ links).toarray())
        images = moved
    return Propagated(images, similarity)


def _check(visual: sp.csr_array, words: sp.csr_array, similarity: np.ndarray) -> None:
    n, w = words.shape
    if visual.shape != (n, n) or similarity.shape != (w, w):
        raise InputError(
            f"{n} images with {w} words need similarities [{n}, {n}] and [{w}, {w}], "
            f"got {[*visual.shape]} and {[*similarity.shape]}"
        )
    if not np.isfinite(words.data).all() or (words.data < 0).any():
        raise InputError("words of images must be finite and not negative; use 1 for a word that an image has")
    for what, values in (("images", visual.data), ("words", similarity)):
        if not ((values >= 0) & (values <= 1)).all():
            raise InputError(f"similarities of {what} must be from 0 to 1; leave negative ones out")
    if not np.allclose(similarity, similarity.T):
        raise InputError("the similarity of words must be symmetric")


def _images(begin: sp.csr_array, links: sp.csr_array, similarity: np.ndarray, a: float, k: int) -> sp.csr_array:
    """The next S_v: in blocks of rows, of which the k largest entries are kept."""
    n = links.shape[0]
    through, back = links @ similarity, links.T.tocsr()  # [n, W]
    largest = max((float((through[part] @ back).max(initial=0)) for part in parts(n, n)), default=0.0)
    scale = (1 - a) / largest if largest > 0 else 0.0
    rows = [sp.csr_array((0, n))]
    for part in parts(n, n):
        block = a * begin[part].toarray() + scale * (through[part] @ back)
        if k < block.shape[1]:
            least = np.partition(block, -k, axis=1)[:, -k, None]
            block[block < least] = 0  # what ties with the last stays
        rows.append(sp.csr_array(block))
    result = sp.csr_array(sp.vstack(rows))
    return sp.csr_array(result.maximum(result.T))


def _largest_one(product: np.ndarray) -> np.ndarray:
    largest = product.max(initial=0)
    return product / largest if largest > 0 else product


@stage(
    "propagate",
    kind="reranking",
    idea="Images are alike if their keywords are, and keywords if their images are; a reconstruction.",
    formula="S ← a S⁰ + (1 − a) λ Z T Zᵀ, T ← a T⁰ + (1 − a) λ Zᵀ S Z",
    source="doi 10.1145/1027527.1027746",
    needs=("keywords",),
    bounds={"a": (0, 1), "rounds": (0, 100), "k": (1, 1000)},
)
def rerank(hits: Hits, collection: Collection, *, a: float = 0.7, rounds: int = 10, k: int = VOTERS) -> Hits:
    """The hits `[Q, K]` in the order of propagated similarity; a = 1 changes nothing.

    Raises:
        InputError: the database has no labels, or as the functions that it uses.
    """
    if collection.keywords is None:
        raise InputError("propagate uses labels as keywords, but these images have none; leave it out")
    start(hits, collection)
    if a == 1 or not hits.rows.size:
        return hits
    links = by_image(collection.keywords)
    name = ("propagate", a, rounds, k)
    if name not in collection.memo:
        own = own_lists(collection, k + 1)
        largest = float(own.scores.max(initial=0)) or 1.0
        visual = matrix(own.rows, np.clip(own.scores / largest, 0, 1), collection.index.n)
        collection.memo[name] = propagate(visual, collection.keywords, a=a, b=a, rounds=rounds, k=k).words
    words = probabilities(_voters(hits, collection.own), collection.keywords, k=k) @ collection.memo[name]  # [Q, W]
    scores = a * _of_one(hits.scores.astype(np.float64))
    for part in parts(len(words), collection.index.n):
        product = words[part] @ links.T  # [p, N]
        scores[part] += (1 - a) * _of_one(np.take_along_axis(product, hits.rows[part], 1))
    return Hits(*ordered(scores.astype(np.float32), hits.rows))


def _voters(hits: Hits, own: int | None) -> Hits:
    """Hits of one query without the item that it is itself."""
    if own is None:
        return hits
    others = hits.rows[0] != own
    return Hits(hits.scores[:, others], hits.rows[:, others])


def _of_one(x: np.ndarray) -> np.ndarray:
    """Rows divided by their largest number, negative ones 0."""
    largest = x.max(1, keepdims=True)
    return np.maximum(0, x) / np.where(largest > 0, largest, 1)
