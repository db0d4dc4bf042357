"""Why a hashed hit is a hit: bits that agree, trees that agree, and the questions that one tree asks.

Codes are fitted on a part of the lab set: its plain view is both training set and database, its queries are the
queries. Labels only measure how pure a pseudo-class is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from transclipped.features.labset import LabSet
from transclipped.retrieval.coding import trees, udh
from transclipped.retrieval.line import load_methods
from transclipped.retrieval.stages import STAGES, Index, State
from transclipped.retrieval.vectors import unit

TREES, BITS = "trees", ("udh", "strp")
CLUSTERS = 50  # pseudo-classes of UDH
OPTIONS: dict[str, dict[str, Any]] = {
    TREES: {"trees": 100, "depth": 6, "score": "path"},
    "udh": {"bits": 32, "clusters": CLUSTERS},
    "strp": {"bits": 32},
}
ITEMS = 2000  # images of the lab set, so that a code is fitted in about a second
EXTREMES = 4  # images on each side of a question


@dataclass(frozen=True)
class Hashed:
    """A code of the lab set.

    Attributes:
        items, queries: unit vectors `[N, F]` and `[Q, F]` float32.
    """

    name: str
    state: State
    index: Index
    items: np.ndarray
    queries: np.ndarray

    def hits(self, query: int, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows `[k]` of the best items."""
        result = self.index.search(self.index.embed(self.queries[query : query + 1]), k)
        return result.scores[0], result.rows[0]


@dataclass(frozen=True)
class Question:
    """A node of a tree on a query's way to its leaf.

    Attributes:
        members: rows of the items that reach the node.
        low, high: rows of those with the smallest and the largest projection, the most extreme first.
        query, item: whether each is on the high side; `item` is None once the item has left the way.
    """

    members: int
    low: np.ndarray
    high: np.ndarray
    query: bool
    item: bool | None


def hashed(name: str, lab: LabSet) -> Hashed:
    """Fit a code on the lab set."""
    load_methods()
    items, queries = unit(lab.features[0][:ITEMS]), unit(lab.query_features)
    stage, options = STAGES[name], OPTIONS[name]
    fitted = {key: value for key, value in options.items() if key != "score"}
    state = stage.fit(items, **fitted)
    return Hashed(name, state, stage.function(items, state, **options), items, queries)


def bits(vectors: np.ndarray, state: State) -> np.ndarray:
    """Bits `[n, bits]` bool of vectors: the sides of their projections; 0 counts as positive."""
    return (vectors - state["mean"]) @ state["matrix"] >= 0


def trees_agree(code: Hashed, query: int, row: int) -> np.ndarray:
    """Which trees `[T]` put a query and an item into one leaf."""
    both = trees.leaves(np.stack([code.queries[query], code.items[row]]), code.state)
    return both[0] == both[1]


def questions(code: Hashed, tree: int, query: int, row: int) -> tuple[list[Question], np.ndarray]:
    """The questions that a tree asks a query, from the root down, and the rows of the items in its leaf."""
    state = code.state
    direction, threshold = state["direction"][tree], state["threshold"][tree]
    project = state["matrix"][:, direction]  # [F, nodes]
    items, projection = (code.items - state["mean"]) @ project, (code.queries[query] - state["mean"]) @ project
    members, node, result, together = np.arange(len(items)), 0, [], True
    for _ in range(len(direction).bit_length()):  # depth
        high, side = items[members, node] > threshold[node], bool(projection[node] > threshold[node])
        order = members[np.argsort(items[members, node], kind="stable")]
        item = bool(items[row, node] > threshold[node]) if together else None
        result.append(Question(len(members), order[:EXTREMES], order[::-1][:EXTREMES], side, item))
        together = item is side
        members, node = members[high == side], 2 * node + 1 + side
    return result, members


def pseudo_classes(code: Hashed) -> np.ndarray:
    """Cluster `[N]` of each item by what UDH's bits describe, as in its last round."""
    return udh.clustered((code.items - code.state["mean"]) @ code.state["matrix"], CLUSTERS)


def purities(classes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pseudo-classes by size, the largest first: number, size, and share of the most frequent label, `[K]` each."""
    names, inverse = np.unique(classes, return_inverse=True)
    table = np.zeros((len(names), int(labels.max(initial=0)) + 1), np.int64)
    np.add.at(table, (inverse, labels), 1)
    sizes = table.sum(1)
    order = np.argsort(-sizes, kind="stable")
    return names[order], sizes[order], (table.max(1) / sizes)[order]
