"""Rank flow embedding: lists make hyperedges, hyperedges make an embedding, its connected parts correct the lists.

From lists τ `[n, L]` alone, positions p from 1, in four steps:

1. Normalised: by σ(p_q(i))² σ(p_i(q)), σ(1) = 1, else σ(p) = 1 − 1 / (1 + e^{−a (p − ⌊k/2⌋)}), p = L + 2 if absent.
2. Hyperedges, in rounds: W[q, τ_q[p]] = 1 − ln p / ln k for the first k, E = W + W², H = E ∘ Eᵀ; by
   ⟨H_q, H_i⟩ / p_q(i).
3. Product: e_q, the sum of the k largest of H_q divided by the largest of all; by S = Hᵀ diag(e) H, where items enter.
4. Components: the best share mean(e) / 2 of pairs (q, i), i among the first k of q, by ⟨H_q, H_i⟩ e_q e_i, makes
   connected parts r; c_r = Σ_{o ∈ r} H_o, the embedding is v_q[r] = ⟨H_q, c_r⟩. Of the k strongest members of each
   c_r, those at ranks i and j get (1 + √(ij) ⟨v_a, v_b⟩) / p_a(b). Where parts overlap, the part whose
   representative has the larger row decides.

An item of strength 0 is no member; the authors' program fills parts of fewer than k with such items.

Sorting is stable, and a list's own item changes back to the front each time. Sums are float64.

References:
    Valem, Pedronette & Latecki 2023, "Rank flow embedding for unsupervised and semi-supervised manifold learning",
    arXiv 2304.12448.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from transclipped.errors import InputError
from transclipped.retrieval.lists import checked, entries, matrix, parts
from transclipped.retrieval.orders import (
    Positions,
    back_positions,
    ordered_by,
    ordered_with_entering,
    sampled,
)

STEPS = ("normalised", "hyperedges", "product", "components")


@dataclass(frozen=True)
class Flow:
    """Result of rank flow embedding.

    Attributes:
        lists: `[n, L]` int64, at the end.
        steps: the lists after each of `STEPS`, as far as they were asked for.
        embedding: `[n, c]`, similarity of each item to each of c connected parts.
        part: `[n]`, column of the item's own part; −1 where it is connected to none.
    """

    lists: np.ndarray
    steps: dict[str, np.ndarray]
    embedding: sp.csr_array
    part: np.ndarray


@dataclass(frozen=True)
class Hyperedges:
    """W, H and e of lists."""

    w: sp.csr_array
    transposed: sp.csr_array
    h: sp.csr_array
    largest: float  # sum of the k largest of a row, by which e is divided
    e: np.ndarray


@dataclass(frozen=True)
class Parts:
    """Connected parts of two or more.

    Attributes:
        members: `[c, n]`, 1 where an item belongs to a part. sums: c_r, `[c, n]`.
        strongest: rows of the k strongest members of each c_r, best first; strength: of these.
        least: value of the weakest pair that connects.
    """

    members: sp.csr_array
    sums: sp.csr_array
    strongest: list[np.ndarray]
    strength: list[np.ndarray]
    embedding: sp.csr_array
    part: np.ndarray
    least: float


@dataclass(frozen=True)
class Steps:
    """All of the database: lists after each sorting, the hyperedges between them, and the connected parts.

    Attributes:
        back: `[n, L]`, position of each item in the lists of its entries, at first.
    """

    back: np.ndarray
    orders: list[np.ndarray]
    edges: list[Hyperedges]
    parts: Parts | None

    def lists(self) -> dict[str, np.ndarray]:
        """Lists by step."""
        rounds = len(self.edges) - 1 - (self.parts is not None)
        at = [0, rounds, rounds + 1] + [rounds + 2] * (self.parts is not None)
        return {name: self.orders[i] for name, i in zip(STEPS, at, strict=False)}


def flow(lists: np.ndarray, *, k: int = 20, rounds: int = 2, sharpness: float = 0.1, components: bool = True) -> Flow:
    """Lists `[n, L]` of a whole collection, after all steps.

    Args:
        k: 2 <= k < L; best below the size of a class.
        rounds: of step 2. sharpness: a of step 1.
        components: False stops after step 3.

    Raises:
        InputError: a list does not begin with its own item or names one twice, or k is out of range.
    """
    lists = checked(lists)
    if not 2 <= k < lists.shape[1]:
        raise InputError(f"k is {k}, but must be from 2 to {lists.shape[1] - 1}, less than the lists' length")
    result = steps(lists, k=k, rounds=rounds, sharpness=sharpness, components=components)
    groups = result.parts
    nothing = sp.csr_array((len(lists), 0))
    return Flow(
        lists=result.orders[-1],
        steps=result.lists(),
        embedding=nothing if groups is None else groups.embedding,
        part=np.full(len(lists), -1) if groups is None else groups.part,
    )


def steps(lists: np.ndarray, *, k: int, rounds: int, sharpness: float, components: bool) -> Steps:
    """All steps on checked lists."""
    back = back_positions(lists)
    orders, edges, groups = [ordered_by(lists, lambda part: normalised(back[part], k, sharpness))], [], None
    for _ in range(rounds):
        edges.append(hyperedges(orders[-1], k))
        orders.append(by_similarity(orders[-1], edges[-1].h))
    edges.append(hyperedges(orders[-1], k))
    orders.append(by_product(orders[-1], edges[-1]))
    if components:
        edges.append(hyperedges(orders[-1], k))
        groups = connected(orders[-1], edges[-1], k)
        orders.append(by_parts(orders[-1], groups))
    return Steps(back, orders, edges, groups)


def sigma(position: np.ndarray, k: int, sharpness: float) -> np.ndarray:
    """σ of positions from 1."""
    return np.where(position == 1, 1.0, 1 - 1 / (1 + np.exp(-sharpness * (position - k // 2))))


def normalised(back: np.ndarray, k: int, sharpness: float) -> np.ndarray:
    """Values of step 1, from the positions of lists' own items with their entries, `[p, L]` from 0."""
    length = back.shape[1]
    forth = sigma(np.arange(1, length + 1), k, sharpness) ** 2
    return forth * sigma(np.where(back < length, back + 1, length + 2), k, sharpness)


def weight(position: np.ndarray, k: int) -> np.ndarray:
    """1 − ln p / ln k of positions from 1; 0 beyond k."""
    return np.maximum(0, 1 - np.log(position) / math.log(k))


def hyperedges(lists: np.ndarray, k: int) -> Hyperedges:
    n = len(lists)
    w = matrix(lists[:, : k - 1], weight(np.arange(1, k), k), n)  # that of position k is 0
    e = sp.csr_array(w + w @ w)
    e.sort_indices()
    h = sp.csr_array(e.multiply(e.T.tocsr()))
    h.sort_indices()  # so that ⟨H_q, H_i⟩ and ⟨H_i, H_q⟩ are the same sum
    sums = strongest_sums(h, k)
    return Hyperedges(w, w.T.tocsr(), h, float(sums.max()), sums / sums.max())


def strongest_sums(h: sp.csr_array, k: int) -> np.ndarray:
    """Sum of the k largest numbers of each row."""
    result = np.empty(h.shape[0])
    length = np.diff(h.indptr)
    for part in parts(h.shape[0], int(length.max(initial=1))):
        rows = h[part]
        row, _ = entries(rows)
        dense = np.zeros((rows.shape[0], max(1, int(length[part].max(initial=0)))))
        dense[row, np.arange(len(row)) - np.repeat(rows.indptr[:-1], np.diff(rows.indptr))] = rows.data
        result[part] = -np.sort(-dense, 1)[:, :k].sum(1)
    return result


def by_similarity(lists: np.ndarray, h: sp.csr_array) -> np.ndarray:
    """Step 2, one round."""
    position = np.arange(1, lists.shape[1] + 1)
    return ordered_by(lists, lambda part: sampled(h[part] @ h, lists[part]) / position, width=len(lists))


def by_product(lists: np.ndarray, edges: Hyperedges) -> np.ndarray:
    """Step 3."""
    weighted = sp.csr_array(edges.h.multiply(edges.e[:, None]))  # diag(e) H

    def values(part: slice) -> sp.csr_array:
        s = sp.csr_array(edges.h[part] @ weighted)
        row, column = entries(s)
        s.data[column == row + part.start] = np.inf  # an item's own comes first
        return s

    return ordered_with_entering(lists, values)


def connected(lists: np.ndarray, edges: Hyperedges, k: int) -> Parts:
    """The parts of step 4."""
    n, h = len(lists), edges.h
    value = np.empty((n, k - 1))
    for part in parts(n, n):
        value[part] = sampled(h[part] @ h, lists[part, 1:k]) * (edges.e[part, None] * edges.e[lists[part, 1:k]])
    left, right = np.repeat(np.arange(n), k - 1), lists[:, 1:k].ravel()
    best = np.lexsort((right, left, value.ravel()))[::-1][: math.ceil(value.size * edges.e.mean() / 2)]
    root = roots(left[best], right[best], n)
    _, column, count = np.unique(root, return_inverse=True, return_counts=True)
    column = np.where(count > 1, (count > 1).cumsum() - 1, -1)[column]
    inside = np.flatnonzero(column >= 0)
    members = sp.csr_array((np.ones(len(inside)), (column[inside], inside)), ((count > 1).sum(), n))
    sums = sp.csr_array(members @ h)
    strongest, strength = [], []
    for r in range(len(sums.indptr) - 1):
        row, data = (x[sums.indptr[r] : sums.indptr[r + 1]] for x in (sums.indices, sums.data))
        order = np.lexsort((row, -data))[:k]
        strongest.append(row[order])
        strength.append(data[order])
    least = float(value.ravel()[best].min(initial=np.inf))
    return Parts(members, sums, strongest, strength, sp.csr_array(h @ sums.T), column, least)


def roots(left: np.ndarray, right: np.ndarray, n: int) -> np.ndarray:
    """Representative of each item's part after joining pairs in order; the left one's representative stays."""
    parent = list(range(n))

    def find(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        parent[find(b)] = find(a)
    return np.array([find(i) for i in range(n)], np.int64)


def by_parts(lists: np.ndarray, groups: Parts) -> np.ndarray:
    """Step 4."""
    n, length = lists.shape
    left, right, root = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    for rows in groups.strongest:
        rank = np.sqrt(np.arange(1, len(rows) + 1))
        left.append(np.repeat(rows, len(rows)))
        right.append(np.tile(rows, len(rows)))
        root.append(np.outer(rank, rank).ravel())
    left, right, root = (np.concatenate(x) for x in (left, right, root))
    _, last = np.unique((left * n + right)[::-1], return_index=True)  # the last part decides
    left, right, root = (x[::-1][last] for x in (left, right, root))
    position = Positions(lists).of(right, left)
    position = np.where(position < length, position + 1, length + 2)
    value = (1 + root * pair_products(groups.embedding, groups.embedding, left, right)) / position
    table = sp.csr_array((value, (left, right)), (n, n))
    return ordered_with_entering(lists, lambda part: table[part])


def pair_products(a: sp.csr_array, b: sp.csr_array, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """⟨a_left, b_right⟩ of pairs `[p]` of rows."""
    result = np.empty(len(left))
    width = int(max(np.diff(a.indptr).max(initial=1), np.diff(b.indptr).max(initial=1)))
    for part in parts(len(left), 4 * width):
        result[part] = a[left[part]].multiply(b[right[part]]).sum(1)
    return result
