"""Bagged trees: an item is described by the leaf that it reaches in each of many random trees.

The score of query and item is the share of trees in which they reach the same leaf; no distance is computed. With
score=path it is the share of questions that both answer alike before they part, which deep trees need: few items reach
one leaf of many. A tree is a codebook and a leaf a codeword, so that T trees take T bytes an item. Each node of a tree
halves the vectors that reach it, at the median along a random direction in the space of the first 64 principal axes;
each tree sees a sample of the training vectors drawn with replacement.

Source: Fakhr et al. 2018, "BT-retrieval", Neural Computing and Applications, known to us by its abstract; the trees are
those of Dasgupta & Freund 2008, "Random projection trees and low dimensional manifolds".
"""

from __future__ import annotations

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal

AXES, DIRECTIONS, SEED = 64, 512, 0
SCORES = LEAF, PATH = ("leaf", "path")


def fit(vectors: np.ndarray, *, trees: int = 100, depth: int = 6) -> State:
    """Trees of 2^depth leaves; node i has the children 2i + 1 and 2i + 2.

    Returns `mean` `[D]`, `matrix` `[D, 512]` of directions and, of each node, `direction` and `threshold`
    `[T, 2^depth − 1]`.
    """
    x = training_rows(vectors, "trees")
    axes = principal(x, AXES)
    rng = np.random.default_rng(SEED)
    mean = axes.mean.astype(np.float32)
    matrix = (axes.matrix @ rng.normal(size=(axes.matrix.shape[1], DIRECTIONS))).astype(np.float32)
    y = (x - mean) @ matrix
    direction = rng.integers(DIRECTIONS, size=(trees, 2**depth - 1))
    threshold = np.zeros(direction.shape, np.float32)
    for t in range(trees):
        members = {0: rng.integers(len(y), size=len(y))}  # rows that reach each node
        for node in range(2**depth - 1):
            rows = members.pop(node)
            values = y[rows, direction[t, node]]
            threshold[t, node] = _middle(values)
            right = values > threshold[t, node]
            members[2 * node + 1], members[2 * node + 2] = rows[~right], rows[right]
    return {"mean": mean, "matrix": matrix, "direction": direction, "threshold": threshold}


def _middle(values: np.ndarray) -> float:
    """Between the two values around the median, so that rounding moves no item across; 0 of none."""
    if not len(values):
        return 0.0
    values = np.sort(values)
    half = len(values) // 2
    return (values[max(half - 1, 0)] + values[half]) / 2


@stage(
    "trees",
    kind="coding",
    idea="Describe an item by the leaf that it reaches in each of many random trees.",
    formula="score = Σ_t [leaf_t(q) = leaf_t(x)] / T; path: Σ_t questions answered alike / (T · depth)",
    source="10.1145/1374376.1374452",
    fit=fit,
    bounds={"trees": (1, 1024), "depth": (0, 8), "score": SCORES},
)
def bagged(vectors: np.ndarray, state: State, *, trees: int = 100, depth: int = 6, score: str = LEAF) -> ProjectedIndex:
    """Index of vectors `[N, D]`, a byte per tree and item; an embedded query has `codewords` side by side."""
    from transclipped.retrieval.index import PQIndex  # imports faiss

    words = codewords(depth, score=score)

    def project(vectors: np.ndarray) -> np.ndarray:
        reached = leaves(vectors, state)
        return words[reached].reshape(len(reached), trees * words.shape[1])

    index = PQIndex(np.broadcast_to(words, (trees, *words.shape)), leaves(vectors, state))
    return ProjectedIndex(index, project, scale=1 / (trees * int(words[0].sum())))


def codewords(depth: int, *, score: str) -> np.ndarray:
    """Vectors of 0 and 1 of the leaves, `[2^depth, d]`, whose inner product counts the nodes that two leaves share.

    Nodes are the leaves themselves, or all below the root on the way to them.
    """
    leaf = np.arange(2**depth)
    levels = range(1, depth + 1) if score == PATH and depth else (depth,)
    return np.concatenate([np.eye(2**level, dtype=np.float32)[leaf >> (depth - level)] for level in levels], 1)


def leaves(vectors: np.ndarray, state: State) -> np.ndarray:
    """Leaf `[N, T]` uint8 of each vector in each tree."""
    x = rows(vectors)
    same_width("trees", len(state["mean"]), x.shape[1])
    y = (x - state["mean"]) @ state["matrix"]
    direction, threshold = state["direction"], state["threshold"]
    tree, row = np.arange(len(direction)), np.arange(len(y))[:, None]
    node = np.zeros((len(y), len(direction)), np.int64)
    for _ in range(direction.shape[1].bit_length()):  # depth
        node = 2 * node + 1 + (y[row, direction[tree, node]] > threshold[tree, node])
    return (node - direction.shape[1]).astype(np.uint8)
