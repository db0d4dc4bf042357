"""Bagged trees: an item is described by the leaf that it reaches in each of many random trees.

The score of query and item is the share of trees in which they reach the same leaf; no distance is computed. A tree is
a codebook and a leaf a codeword, so that T trees take T bytes an item. Trees divide the training vectors at random
thresholds of random principal axes; each sees a sample of the vectors drawn with replacement.

Source: Fakhr et al. 2018, "BT-retrieval", Neural Computing and Applications, known to us by its abstract; random trees
are those of Geurts, Ernst & Wehenkel 2006, "Extremely randomized trees".
"""

from __future__ import annotations

import numpy as np

from transclipped.retrieval.checks import rows, same_width, training_rows
from transclipped.retrieval.coding.projected import ProjectedIndex
from transclipped.retrieval.stages import State, stage
from transclipped.retrieval.whitening.pca import pca as principal

AXES, SEED = 64, 0


def fit(vectors: np.ndarray, *, trees: int = 100, depth: int = 6) -> State:
    """Trees of 2^depth leaves on up to 64 principal axes.

    Node i has children 2i + 1 and 2i + 2. Returns `mean` `[D]`, `matrix` `[D, a]` and, of each node, `axis` and
    `threshold` `[T, 2^depth − 1]`: an axis drawn in proportion to its standard deviation, and on it the value of a
    random vector that reaches the node; 0, the mean, where none does.
    """
    x = training_rows(vectors, "trees")
    axes = principal(x, AXES)
    y = axes(x).astype(np.float32)
    rng = np.random.default_rng(SEED)
    spread = np.sqrt(axes.variance) + 1e-12
    axis = rng.choice(len(spread), size=(trees, 2**depth - 1), p=spread / spread.sum())
    threshold = np.zeros(axis.shape, np.float32)
    for t in range(trees):
        sample = y[rng.integers(len(y), size=len(y))]  # in random order, so that the first of a node is a random one
        node = np.zeros(len(sample), np.int64)
        for _ in range(depth):
            nodes, first = np.unique(node, return_index=True)
            threshold[t, nodes] = sample[first, axis[t, nodes]]
            node = 2 * node + 1 + (sample[np.arange(len(node)), axis[t, node]] > threshold[t, node])
            order = rng.permutation(len(sample))
            sample, node = sample[order], node[order]
    return {
        "mean": axes.mean.astype(np.float32),
        "matrix": axes.matrix.astype(np.float32),
        "axis": axis.astype(np.int64),
        "threshold": threshold,
    }


@stage(
    "trees",
    kind="coding",
    idea="Describe an item by the leaf that it reaches in each of many random trees.",
    formula="score = Σ_t [leaf_t(q) = leaf_t(x)] / T",
    source="10.1007/s10994-006-6226-1",
    fit=fit,
    bounds={"trees": (1, 1024), "depth": (0, 8)},
)
def bagged(vectors: np.ndarray, state: State, *, trees: int = 100, depth: int = 6) -> ProjectedIndex:
    """Index of vectors `[N, D]`, a byte per tree and item; an embedded query has 2^depth numbers per tree."""
    from transclipped.retrieval.index import PQIndex  # imports faiss

    one_hot = np.eye(2**depth, dtype=np.float32)

    def project(vectors: np.ndarray) -> np.ndarray:
        reached = leaves(vectors, state)
        return one_hot[reached].reshape(len(reached), trees * 2**depth)

    index = PQIndex(np.broadcast_to(one_hot, (trees, *one_hot.shape)), leaves(vectors, state))
    return ProjectedIndex(index, project, scale=1 / trees)


def leaves(vectors: np.ndarray, state: State) -> np.ndarray:
    """Leaf `[N, T]` uint8 of each vector in each tree."""
    x = rows(vectors)
    same_width("trees", len(state["mean"]), x.shape[1])
    y = (x - state["mean"]) @ state["matrix"]
    axis, threshold = state["axis"], state["threshold"]
    tree, row = np.arange(len(axis)), np.arange(len(y))[:, None]
    node = np.zeros((len(y), len(axis)), np.int64)
    for _ in range(axis.shape[1].bit_length()):  # depth
        node = 2 * node + 1 + (y[row, axis[tree, node]] > threshold[tree, node])
    return (node - axis.shape[1]).astype(np.uint8)
