"""Codes of vectors by hashes and trees, and what is behind a hit: the questions that a tree asks, and pseudo-classes.

On the lab set, a part of its plain view is both training set and database. Labels only measure how pure a pseudo-class
is.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np

from transclipped.analysis.reasons import TREES, SharedBits, SharedLeaves, why
from transclipped.features.labset import LabSet
from transclipped.retrieval.coding import udh
from transclipped.retrieval.line import load_methods
from transclipped.retrieval.stages import STAGES, Index, Stage, State
from transclipped.retrieval.vectors import unit

CLUSTERS = 50  # pseudo-classes of UDH
OPTIONS: dict[str, dict[str, Any]] = {
    TREES: {"trees": 100, "depth": 6, "score": "path"},
    "udh": {"bits": 32, "clusters": CLUSTERS},
    "strp": {"bits": 32},
}
ITEMS = 2000  # images of the lab set, so that a code is fitted in about a second
EXTREMES = 4  # images on each side of a question


@dataclass(frozen=True)
class Code:
    """A code and what it was fitted on.

    Attributes:
        name, options: of the stage.
        items: vectors `[N, F]` float32, also the database of `index`.
    """

    name: str
    options: dict[str, Any]
    state: State
    index: Index
    items: np.ndarray

    @property
    def stage(self) -> Stage:
        return STAGES[self.name]

    def hits(self, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Scores and rows `[k]` of the items best for a query `[F]`."""
        result = self.index.search(self.index.embed(query[None]), k)
        return result.scores[0], result.rows[0]

    def why(self, query: np.ndarray, item: np.ndarray) -> SharedBits | SharedLeaves:
        """What a query `[F]` shares with an item `[F]`, which need not be one of `items`."""
        index = self.stage.function(item[None], self.state, **self.options)
        return why(self.name, index, query, 0, self.options)


@dataclass(frozen=True)
class Question:
    """A node of a tree on the way to a leaf.

    Attributes:
        members: number of items that reach the node.
        low, high: rows of those with the smallest and the largest projection, the most extreme first.
    """

    members: int
    low: np.ndarray
    high: np.ndarray


def fit_code(name: str, items: np.ndarray, **more: Any) -> Code:
    """A code of vectors `[N, F]`, learned from them, with `OPTIONS` or others."""
    load_methods()
    stage = STAGES[name]
    options = stage.options | OPTIONS.get(name, {}) | more
    parameters = inspect.signature(stage.fit).parameters
    state = stage.fit(items, **{option: value for option, value in options.items() if option in parameters})
    return Code(name, options, state, stage.function(items, state, **options), items)


def hashed(name: str, lab: LabSet) -> Code:
    """A code of the lab set."""
    return fit_code(name, unit(lab.features[0][:ITEMS]))


def questions(state: State, items: np.ndarray, tree: int, answers: np.ndarray) -> tuple[list[Question], np.ndarray]:
    """The questions on the way through a tree, from the root down, and the rows of the items in the leaf at its end.

    Args:
        state: of the trees. items: vectors `[N, F]`.
        answers: `[depth]` bool, True for the high side.
    """
    sides = np.asarray(answers, bool).tolist()
    nodes = [0]
    for side in sides[:-1]:
        nodes.append(2 * nodes[-1] + 1 + side)
    nodes = np.array(nodes[: len(sides)], int)
    directions, thresholds = state["direction"][tree, nodes], state["threshold"][tree, nodes]
    projections = (items - state["mean"]) @ state["matrix"][:, directions]  # [N, depth], rounded as in the index
    members, result = np.arange(len(items)), []
    for values, threshold, side in zip(projections.T, thresholds, sides, strict=True):
        order = members[np.argsort(values[members], kind="stable")]
        result.append(Question(len(members), order[:EXTREMES], order[::-1][:EXTREMES]))
        members = members[(values[members] > threshold) == side]
    return result, members


def pseudo_classes(code: Code) -> np.ndarray:
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
