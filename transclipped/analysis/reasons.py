"""Why a code finds an item: the bits, or the leaves of trees, that it shares with the query.

A code of signs scores by the Hamming distance, 1 − 2 distance / bits. Trees score by Σ_t terms_t / most: a term is 1
where query and item reach one leaf, or with score=path the number of questions that both answer alike before they part.
The number of a leaf spells its way from the root: the first question is its highest bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from transclipped.retrieval.coding import trees
from transclipped.retrieval.coding.projected import ProjectedIndex

TREES, SIGNS = "trees", ("udh", "itq", "strp", "lsh")  # stages whose hits can be explained


@dataclass(frozen=True)
class SharedBits:
    """Bits of a query and of an item, `[bits]` bool each."""

    query: np.ndarray
    item: np.ndarray

    @property
    def equal(self) -> np.ndarray:
        return self.query == self.item

    @property
    def distance(self) -> int:
        """Bits that differ."""
        return int((~self.equal).sum())

    @property
    def score(self) -> float:
        return 1 - 2 * self.distance / len(self.query)


@dataclass(frozen=True)
class SharedLeaves:
    """Leaves of a query and of an item in T trees of some depth, `[T]` each.

    Attributes:
        path: whether a score counts questions instead of leaves.
    """

    query: np.ndarray
    item: np.ndarray
    depth: int
    path: bool

    @property
    def same(self) -> np.ndarray:
        """Trees `[T]` bool in which both reach one leaf."""
        return self.query == self.item

    @property
    def answers(self) -> np.ndarray:
        """Whether query and item are on the high side of each question on their way, `[2, T, depth]` bool."""
        leaf = np.stack([self.query, self.item])[:, :, None].astype(np.int64)
        return (leaf >> np.arange(self.depth)[::-1]) % 2 == 1

    @property
    def alike(self) -> np.ndarray:
        """Questions of each tree that both answer alike before they part, `[T]`, at most the depth."""
        query, item = self.answers
        return np.logical_and.accumulate(query == item, axis=1).sum(1)

    @property
    def terms(self) -> np.ndarray:
        """What each tree adds to the score, `[T]` int64."""
        return self.alike if self.path and self.depth else self.same.astype(np.int64)

    @property
    def most(self) -> int:
        """The sum of the terms of an item in the query's own leaves."""
        return len(self.query) * (self.depth if self.path and self.depth else 1)

    @property
    def score(self) -> float:
        return int(self.terms.sum()) / self.most


def why(
    name: str, index: ProjectedIndex, query: np.ndarray, row: int, options: Mapping[str, Any]
) -> SharedBits | SharedLeaves:
    """What a query `[D]` and an item share, by the codes that are searched.

    Args:
        name: of the stage, one of `TREES` and `SIGNS`. index: what it has made of the items. options: its own.
        row: of the item.
    """
    embedded, code = index.embed(query[None])[0], index.codes.codes[row]
    if name != TREES:
        return SharedBits(embedded > 0, np.unpackbits(code).astype(bool))
    depth = options["depth"]
    words = embedded.reshape(options["trees"], -1)[:, -(2**depth) :]  # of a leaf, 1 where it is: the last level
    return SharedLeaves(words.argmax(1), code.astype(np.int64), depth, options["score"] == trees.PATH)
