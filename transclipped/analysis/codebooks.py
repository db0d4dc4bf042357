"""Codeword usage, dependence of codebooks, and coding error of a product quantizer.

Everything is a function of codes `[N, M]` uint8, codebooks `[M, K, d]` float32 and stored queries `[Q, D]`; only
`by_epoch` reads a run. With n_k of N items on codeword k and p_k = n_k / N,

    H = −Σ p_k log₂ p_k (bits),   perplexity = 2^H,   I(a; b) = H(a) + H(b) − H(a, b).

Perplexity is the number of evenly used codewords with the same entropy: K at best, 1 after a collapse. The plain I of
N items over K² pairs of codewords is too large even for independent codebooks, since most pairs are rare; so it is
compared with that of shuffled codes, which have the same usage and no dependence.

Sources: Jégou et al. 2011 (product quantization); van den Oord et al. 2017, arXiv 1711.00937 (perplexity of codes).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from scipy.special import entr

from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.vectors import unit

CROWDED = 4  # times the even share N / K
SHUFFLES = 3  # of codes, to estimate dependence by chance
SAMPLE = 2000  # database images encoded by the head of each epoch


@dataclass(frozen=True)
class Usage:
    """Usage of each codeword by N items.

    Attributes:
        counts: `[M, K]` int64.
        perplexity: `[M]`, from 1 to K; 0 without items.
        dead: `[M]` codewords without items.
        crowded: `[M]` codewords with more than `CROWDED` times the even share.
    """

    counts: np.ndarray
    perplexity: np.ndarray
    dead: np.ndarray
    crowded: np.ndarray

    @property
    def even(self) -> float:
        """Items per codeword under even usage, N / K."""
        return float(self.counts[0].sum() / self.counts.shape[1])


@dataclass(frozen=True)
class Dependence:
    """Mutual information of pairs of codebooks, `[M, M]` bits; entropies on the diagonal.

    Attributes:
        plain: as counted, biased upwards.
        shuffled: mean over shuffled codes; 0 on the diagonal.
    """

    plain: np.ndarray
    shuffled: np.ndarray

    @property
    def excess(self) -> np.ndarray:
        """Dependence beyond chance, `[M, M]` bits, at least 0."""
        return np.maximum(0, self.plain - self.shuffled)

    def largest(self, which: str) -> float:
        """Largest value of "plain", "shuffled" or "excess" between two different codebooks; 0 for one codebook."""
        bits = getattr(self, which)
        return float(bits[~np.eye(len(bits), dtype=bool)].max(initial=0))


@dataclass(frozen=True)
class Error:
    """1 − cosine between a continuous query and its decoded code: `whole` `[Q]`, `by_codebook` `[Q, M]`."""

    whole: np.ndarray
    by_codebook: np.ndarray


@dataclass(frozen=True)
class Epochs:
    """Usage of `n` database images under the head of each stored epoch `[E]`: perplexity and dead, `[E, M]`."""

    epoch: np.ndarray
    perplexity: np.ndarray
    dead: np.ndarray
    n: int


def usage(codes: np.ndarray, k: int) -> Usage:
    """Usage of K codewords by codes `[N, M]`. Raises ValueError if codes are not `[N, M]` or not below K."""
    if codes.ndim != 2 or (codes.size and codes.max() >= k):
        raise ValueError(f"need codes [N, M] below {k}, got shape {[*codes.shape]}, largest {codes.max(initial=0)}")
    n, m = codes.shape
    shifted = codes.astype(np.int64) + k * np.arange(m)
    counts = np.bincount(shifted.ravel(), minlength=m * k).reshape(m, k)
    return Usage(counts, perplexity(counts), (counts == 0).sum(1), (counts > CROWDED * n / k).sum(1))


def entropy(counts: np.ndarray) -> np.ndarray:
    """Entropy in bits over the last axis of counts `[…, K]`; 0 without items."""
    p = counts / np.maximum(1, counts.sum(-1, keepdims=True))
    return entr(p).sum(-1, initial=0.0) / math.log(2)


def perplexity(counts: np.ndarray) -> np.ndarray:
    """2^entropy over the last axis of counts `[…, K]`; 0 without items."""
    return np.where(counts.sum(-1) > 0, np.exp2(entropy(counts)), 0.0)


def information(table: np.ndarray) -> float:
    """Mutual information in bits of the two sides of a table of counts `[A, B]`, as counted, at least 0."""
    return float(max(0.0, entropy(table.sum(0)) + entropy(table.sum(1)) - entropy(table.ravel())))


def chance_information(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> float:
    """Mean plain information of shuffled codes with these counts `[A]`, `[B]` of equal sum, in bits."""
    rng = np.random.default_rng(seed)
    one, other = (np.repeat(np.arange(len(c)), c) for c in (first, second))
    tables = [_joint(one, rng.permutation(other), len(first), len(second)) for _ in range(SHUFFLES)]
    return float(np.mean([information(table) for table in tables]))


def dependence(codes: np.ndarray, k: int) -> Dependence:
    """Mutual information of every pair of codebooks, as counted and under shuffled codes; blind to item order."""
    counts = usage(codes, k).counts
    m = len(counts)
    plain, shuffled = np.diag(entropy(counts)), np.zeros((m, m))
    for a in range(m):
        for b in range(a):
            plain[a, b] = plain[b, a] = information(_joint(codes[:, a], codes[:, b], k, k))
            shuffled[a, b] = shuffled[b, a] = chance_information(counts[a], counts[b])
    return Dependence(plain, shuffled)


def similarity(codebook: np.ndarray) -> np.ndarray:
    """Cosines `[K, K]` float32 between the codewords `[K, d]` of a codebook; 0 for one of length 0."""
    words = unit(codebook)
    return np.clip(words @ words.T, -1, 1).astype(np.float32)


def similarity_order(similarity: np.ndarray) -> np.ndarray:
    """Order `[K]` that puts similar codewords side by side: leaves of an optimally ordered average-linkage tree."""
    if len(similarity) < 2:
        return np.arange(len(similarity))
    distances = squareform(1 - similarity, checks=False)
    return leaves_list(linkage(distances, "average", optimal_ordering=True))


def members(codes: np.ndarray, codeword: int, limit: int) -> np.ndarray:
    """At most `limit` rows, evenly spaced, of the items whose code `[N]` in a codebook is this codeword."""
    rows = np.flatnonzero(codes == codeword)
    return rows if len(rows) <= limit else rows[np.linspace(0, len(rows) - 1, limit).astype(int)]


def responding(queries: np.ndarray, codebooks: np.ndarray, *, codebook: int, codeword: int, limit: int):
    """Queries `[Q, D]` whose sub-vector is closest to a codeword: rows `[k]` and cosines `[k]`, best first."""
    m, _, d = codebooks.shape
    parts = queries.reshape(-1, m, d)[:, codebook].astype(np.float32)  # [Q, d]
    cosines = _cosine(parts, codebooks[codebook, codeword][None])
    rows = np.argsort(-cosines, kind="stable")[:limit]
    return rows, cosines[rows]


def quantization_error(queries: np.ndarray, codebooks: np.ndarray) -> Error:
    """Coding error of each query `[Q, D]` (stored as float16): 1 − cosine to its decoded code, in [0, 2]."""
    m, _, d = codebooks.shape
    x = queries.astype(np.float32)
    decoded = decode(codebooks, encode(codebooks, x))
    parts = _cosine(x.reshape(-1, m, d), decoded.reshape(-1, m, d))
    return Error(1 - _cosine(x, decoded), 1 - parts)


def class_counts(codes: np.ndarray, labels: np.ndarray, *, k: int, classes: int) -> np.ndarray:
    """Items `[K, L]` int64 of each codeword of one codebook `[N]` and class.

    Args:
        labels: `[N]` int, −1 for none, or `[N, L]` 0/1; an item with several classes counts for each.
    """
    if labels.ndim == 2:
        table = np.zeros((k, labels.shape[1]), np.int64)
        np.add.at(table, codes, labels.astype(np.int64))
        return table
    labelled = labels >= 0
    classes = max(classes, int(labels.max(initial=-1)) + 1)
    return _joint(codes[labelled], labels[labelled], k, classes)


def class_information(table: np.ndarray) -> float:
    """Mutual information in bits of codeword and class beyond chance, from counts `[K, L]`."""
    return max(0.0, information(table) - chance_information(table.sum(1), table.sum(0)))


def purity(table: np.ndarray) -> float | None:
    """Share of items in the most frequent class of their codeword, from counts `[K, L]`; None without items."""
    return float(table.max(1).sum() / table.sum()) if table.sum() else None


def by_epoch(run, *, sample: int = SAMPLE, seed: int = 0, step: Callable[[], None] = lambda: None) -> Epochs:
    """Encode the same database images by the head of each stored epoch; features come from the cache, which is filled.

    Args:
        step: called after each batch of images.

    Raises:
        InputError: no epoch was stored, or the backbone was trained too, so that only its last state exists.
    """
    from transclipped.models.head import embed_in_batches
    from transclipped.runs.session import prepare_run

    heads = {epoch: run.head(epoch=epoch) for epoch in run.epochs()}
    if not heads:
        raise InputError(f"{run.name} has no heads of epochs; train it again to get them")
    if run.config.backbone.train != "frozen":
        raise InputError(f"{run.name} trained its backbone too, and only its last state is stored")
    session = prepare_run(run)
    database = session.split.database
    rows = np.random.default_rng(seed).choice(database, min(sample, len(database)), replace=False)
    for _ in session.cache.fill(0, rows):
        step()
    rows = session.images.readable(rows)
    features = session.cache.view(0)[np.sort(rows)]
    if (run.metrics() or {}).get("selection") == "last":  # stored once in bundled runs
        heads.setdefault(run.config.schedule.epochs, run.head())
    usages = [usage(embed_in_batches(head, features)[1].numpy(), head.shape[1]) for head in heads.values()]
    perplexities, dead = (np.array([getattr(u, name) for u in usages]) for name in ("perplexity", "dead"))
    return Epochs(np.array(list(heads)), perplexities, dead, len(rows))


def _joint(first: np.ndarray, second: np.ndarray, a: int, b: int) -> np.ndarray:
    return np.bincount(first.astype(np.int64) * b + second, minlength=a * b).reshape(a, b)


def _cosine(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(x, axis=-1) * np.linalg.norm(y, axis=-1)
    return np.clip((x * y).sum(-1) / np.maximum(norms, 1e-12), -1, 1)
