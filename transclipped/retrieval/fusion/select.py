"""Selective rank fusion: which rankers to fuse is chosen without labels, by effectiveness and agreement.

Of each ranker's own lists at depth k, effectiveness e is the mean over q of

    authority  (1/k²) Σ_{i ∈ N(q)} |N(i) ∩ N(q)|,   reciprocal  (1/k²) Σ_{i ∈ N(q)} Σ_{j ∈ N(i) ∩ N(q)} 1 / pos_q(j),

and the correlation ρ of two rankers the mean of one of these over their lists A and B of the same item:

    rbo       (1 − p) Σ_{d ≤ k} p^{d−1} |A_d ∩ B_d| / d, p = 0.9, which of equal lists is 1 − p^k, not 1
    jaccard   |A ∩ B| / |A ∪ B|
    kendall   share of pairs of A ∪ B in the same order, with half of those that one list lacks
    spearman  1 − Σ |pos_A − pos_B| / (k (k + 1)), with position k where an item is absent, from 0

A pair scores e₁ e₂ / (1 + ρ)^β: β < 0 rewards agreement, β > 0 difference, and 0 looks at effectiveness alone. The
authors' default is −1. A larger set is the union of two sets of one member less that differ in one member each, and
scores the sum of both; so scores of sets of different sizes do not compare.

References:
    Valem & Pedronette 2020, "Unsupervised selective rank fusion for image retrieval tasks", Neurocomputing 377,
    doi 10.1016/j.neucom.2019.09.065.
    Webber, Moffat & Zobel 2010, "A similarity measure for indefinite rankings", doi 10.1145/1852102.1852106 (rbo).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from transclipped.errors import InputError, quoted
from transclipped.retrieval.fusion.cprr import fuse
from transclipped.retrieval.fusion.together import together
from transclipped.retrieval.index import Hits
from transclipped.retrieval.lists import checked, matrix, own_lists, parts
from transclipped.retrieval.orders import Positions
from transclipped.retrieval.stages import Collection, stage

P = 0.9
LARGEST, BEST = 6, 100  # members of a set; sets of one size that are kept


@dataclass(frozen=True)
class Choice:
    """Which sets of rankers promise most.

    Attributes:
        effectiveness: `[R]`, e of each ranker.
        correlation: `[R, R]`, ρ, symmetric.
        scores: `[R, R]` of pairs, symmetric; NaN on the diagonal.
        sets: by size from 2, sets of rankers and their scores, best first.
        same: pairs whose lists are equal, of which one ranker is enough.
    """

    effectiveness: np.ndarray
    correlation: np.ndarray
    scores: np.ndarray
    sets: dict[int, list[tuple[tuple[int, ...], float]]]
    same: list[tuple[int, int]]


def choose(
    rankers: Sequence[np.ndarray],
    *,
    k: int = 50,
    beta: float = -1.0,
    measure: str = "reciprocal",
    correlation: str = "rbo",
    largest: int = LARGEST,
) -> Choice:
    """Scores of sets of rankers, from the lists `[n, L]` that each gives all items, L >= k."""
    rankers = [checked(lists) for lists in rankers]
    if len({len(lists) for lists in rankers}) > 1:
        raise InputError(f"rankers have {[len(lists) for lists in rankers]} lists; choose rankers of one data set")
    if not rankers or not 1 <= k <= min(lists.shape[1] for lists in rankers):
        raise InputError(f"k is {k}, but must be from 1 to the length of all lists")
    for name, table in ((measure, MEASURES), (correlation, CORRELATIONS)):
        if name not in table:
            raise InputError(f"{quoted(name)} is unknown; choose one of {', '.join(table)}")
    rankers = [lists[:, :k] for lists in rankers]
    e = np.array([MEASURES[measure](lists) for lists in rankers])
    rho, scores = np.eye(len(rankers)), np.full((len(rankers),) * 2, np.nan)
    for a in range(len(rankers)):
        for b in range(a, len(rankers)):
            rho[a, b] = rho[b, a] = CORRELATIONS[correlation](rankers[a], rankers[b])
            if a != b:
                scores[a, b] = scores[b, a] = e[a] * e[b] / (1 + rho[a, b]) ** beta
    same = [(a, b) for a, b in combinations(range(len(rankers)), 2) if np.array_equal(rankers[a], rankers[b])]
    return Choice(e, rho, scores, sets_of(scores, largest), same)


def sets_of(scores: np.ndarray, largest: int = LARGEST) -> dict[int, list[tuple[tuple[int, ...], float]]]:
    """Sets by size with their scores, best first, from scores `[R, R]` of pairs."""
    pairs = [((a, b), float(scores[a, b])) for a, b in combinations(range(len(scores)), 2)]
    result = {2: sorted(pairs, key=lambda one: -one[1])[:BEST]} if pairs else {}
    for size in range(3, min(largest, len(scores)) + 1):
        unions: dict[tuple[int, ...], float] = {}
        for (a, x), (b, y) in combinations(result[size - 1], 2):
            union = tuple(sorted({*a, *b}))
            if len(union) == size:
                unions.setdefault(union, x + y)
        if not unions:
            break
        result[size] = sorted(unions.items(), key=lambda one: -one[1])[:BEST]
    return result


@stage(
    "select",
    kind="fusion",
    idea="Choose without labels which rankers to fuse: good ones, alike or different.",
    formula="e₁ e₂ / (1 + ρ)^β",
    source="doi 10.1016/j.neucom.2019.09.065",
    bounds={
        "size": (2, LARGEST),
        "k": (1, 1000),
        "beta": (-10, 10),
        "measure": ("reciprocal", "authority"),
        "correlation": ("rbo", "jaccard", "kendall", "spearman"),
    },
)
def select(
    hits: Sequence[Hits],
    collections: Sequence[Collection],
    *,
    size: int = 2,
    k: int = 50,
    beta: float = -1.0,
    measure: str = "reciprocal",
    correlation: str = "rbo",
) -> Hits:
    """The best set of `size` rankers, fused by `cprr-fusion`: hits `[Q, K]`."""
    together(hits, collections)
    size = min(size, len(hits))
    members: tuple[int, ...] = tuple(range(len(hits)))
    if size < len(hits) and collections[0].index.n:
        choice = chosen(collections, k=k, beta=beta, measure=measure, correlation=correlation, largest=size)
        members = choice.sets[size][0][0]
    return fuse([hits[i] for i in members], [collections[i] for i in members])


def chosen(collections: Sequence[Collection], *, k: int, **options) -> Choice:
    """`choose` on the databases' own lists."""
    k = min(k, collections[0].index.n)
    return choose([own_lists(collection, k).rows for collection in collections], k=k, **options)


def authority(lists: np.ndarray) -> float:
    return _shared(lists, np.ones(lists.shape[1]))


def reciprocal(lists: np.ndarray) -> float:
    return _shared(lists, 1 / np.arange(1, lists.shape[1] + 1))


def _shared(lists: np.ndarray, weight: np.ndarray) -> float:
    """Mean over q of Σ_{i ∈ N(q)} Σ_{j ∈ N(i) ∩ N(q)} weight of j's place in q's list, / k²."""
    n, k = lists.shape
    near, weighted, total = matrix(lists, 1.0, n), matrix(lists, weight, n), 0.0
    for part in parts(n, k * k):
        total += float((near[part] @ near).multiply(weighted[part]).sum())
    return total / n / k**2


def rbo(a: np.ndarray, b: np.ndarray) -> float:
    """Cut at k: an item counts from the depth where both lists have it."""
    k = a.shape[1]
    depth = np.arange(1, k + 1)
    tail = np.cumsum((P ** (depth - 1) / depth)[::-1])[::-1]  # Σ_{d ≥ depth} p^{d−1} / d
    both = np.maximum(np.arange(k), _positions(a, b))
    return float((1 - P) * np.append(tail, 0)[both].sum(1).mean())


def jaccard(a: np.ndarray, b: np.ndarray) -> float:
    k = a.shape[1]
    shared = (_positions(a, b) < k).sum(1)
    return float((shared / (2 * k - shared)).mean())


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    k = a.shape[1]
    in_b, in_a = _positions(a, b), _positions(b, a)
    moved = np.abs(np.arange(k) - in_b).sum(1) + np.where(in_a == k, k - np.arange(k), 0).sum(1)
    return float((1 - moved / (k * (k + 1))).mean())


def kendall(a: np.ndarray, b: np.ndarray) -> float:
    """(1 + τ) / 2 of positions in A ∪ B, where all absent items share position k."""
    k, total = a.shape[1], 0.0
    in_b, in_a = _positions(a, b), _positions(b, a)
    for part in parts(len(a), 4 * k * k):
        only = in_a[part] == k  # of b's items
        x = np.concatenate([np.broadcast_to(np.arange(k), in_b[part].shape), np.full(only.shape, k)], 1)
        y = np.concatenate([in_b[part], np.broadcast_to(np.arange(k), only.shape)], 1)
        real = np.concatenate([np.ones_like(only), only], 1)
        total += float(_same_order(x, y, real).sum())
    return total / len(a)


def _same_order(x: np.ndarray, y: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(1 + τ) / 2 `[p]` of real items by both positions `[p, m]`; 1 where there is no pair."""
    pair = real[:, :, None] & real[:, None, :] & np.triu(np.ones((x.shape[1],) * 2, bool), 1)
    sign = np.sign(x[:, :, None] - x[:, None, :]) * np.sign(y[:, :, None] - y[:, None, :])
    count = pair.sum((1, 2))
    return np.where(count > 0, (1 + (sign * pair).sum((1, 2)) / np.maximum(1, count)) / 2, 1.0)


def _positions(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Position in b's list of each item of a's list, `[n, k]`; k where it is absent."""
    return Positions(b).of(a, np.broadcast_to(np.arange(len(a))[:, None], a.shape))


MEASURES: dict[str, Callable[[np.ndarray], float]] = {"reciprocal": reciprocal, "authority": authority}
CORRELATIONS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "rbo": rbo,
    "jaccard": jaccard,
    "kendall": kendall,
    "spearman": spearman,
}
