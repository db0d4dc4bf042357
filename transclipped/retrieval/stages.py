"""Stages of a retrieval pipeline: what each kind takes and returns, and the registry of all methods.

Four things flow through a pipeline: images → maps `[B, C, h, w]` → vectors `[N, D]` → hits. Arrays are NumPy float32.
A method is one file in the folder of its kind: a function whose keyword arguments are its options, registered by name.

    @stage(
        "gem",
        kind="aggregation",
        idea="A mean that leans towards the maximum.",
        formula="(mean Fᵖ)^(1/p)",
        source="arXiv 1711.02512",
        bounds={"p": (1, 100)},
    )
    def gem(maps: np.ndarray, *, p: float = 3.0) -> np.ndarray: ...

`fit` takes the same options, as far as its signature names them.

| kind | function | fit, where the method learns |
| --- | --- | --- |
| features | (images[, training]) → `Features`, which gives maps or vectors | |
| filter | (maps[, state]) → maps | (batches of maps) → state |
| aggregation | (maps[, state]) → vectors | (batches of maps) → state |
| transform | (vectors[, state]) → vectors, with `queries_only` of queries only | (vectors) → state |
| augmentation | (vectors, neighbours of k) → vectors, of the database only | |
| coding | (vectors[, state]) → index | (vectors) → state |
| reranking | (hits, collection) → hits, `Moved` ones where it moves the queries | |
| fusion | (list of hits, list of collections) → hits | |

In a line an option called `name` follows a colon, as in `run:NAME`; all others are in brackets, as in `gem(p=3)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from transclipped.registry import Registry

if TYPE_CHECKING:  # importing a method loads no faiss
    from scipy.sparse import csr_array

    from transclipped.retrieval.index import Hits

KINDS = ("features", "filter", "aggregation", "transform", "augmentation", "coding", "reranking", "fusion")

NOTE = "uses labels as keywords"  # stands wherever such a method does

State = dict[str, np.ndarray]  # what a stage has learned; saved as safetensors


@dataclass(frozen=True)
class Stage:
    """A method and what the command line and the app say about it.

    Attributes:
        function: applies the method; its keyword-only arguments are the options.
        kind: one of `KINDS`, which sets the signature.
        idea: one sentence. formula: the equation in Unicode. source: paper, with arXiv number or DOI.
        fit: learns the state; None if there is nothing to learn.
        needs: further keyword arguments of `fit`, which the pipeline provides: "views" `[V, n, D]`, augmented views of
            the training vectors; "outside" `[m, D]`, vectors of another data set; "database" `[N, D]`. Of a re-ranking,
            "floats" or "keywords": see `Collection`. Of features, "training": the data set of the pipeline and its
            training rows, which the function takes second.
        bounds: (least, greatest) of a number, or a tuple of the names to choose from.
        gives: "maps" or "vectors", of features.
        queries_only: whether a transform leaves items and training vectors as they are.
    """

    function: Callable[..., Any]
    kind: str
    idea: str
    formula: str
    source: str
    fit: Callable[..., State] | None = None
    needs: tuple[str, ...] = ()
    bounds: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    gives: str = "vectors"
    queries_only: bool = False

    @property
    def uses_labels(self) -> bool:
        """Whether labels of the database are its keywords."""
        return "keywords" in self.needs

    @property
    def note(self) -> str:
        """What a reader has to know first, "" if there is nothing."""
        return NOTE if self.uses_labels else ""

    @cached_property
    def options(self) -> dict[str, Any]:
        """Options in order, with their defaults."""
        parameters = inspect.signature(self.function).parameters.values()
        return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


class Features(Protocol):
    """Maps or vectors of one set of images.

    Attributes:
        fingerprint: of everything that they depend on: network, weights, size of the input.
    """

    fingerprint: str

    def batches(self, rows: np.ndarray, *, view: int = 0) -> Iterator[np.ndarray]:
        """Maps `[b, C, h, w]` or vectors `[b, D]` of images in the order of `rows`; view 0 is the plain image."""


class Index(Protocol):
    """Coded vectors that can be searched.

    Attributes:
        n: number of items. bytes_per_item: stored for each.
        to_query: what a decoded item is multiplied by to be a query, where it is not 1 or `m`, a number of codebooks.
    """

    n: int
    bytes_per_item: float

    def embed(self, vectors: np.ndarray) -> np.ndarray:
        """Queries `[Q, D']` that `search` takes, from vectors `[Q, D]` as they reach the coding."""

    def search(self, queries: np.ndarray, k: int) -> Hits:
        """The min(k, N) best items of queries `[Q, D']`: score descending, then row ascending."""

    def decoded(self) -> np.ndarray:
        """Items `[N, D']`, scaled so that an inner product with an embedded query is a score."""


def to_query(index: Index) -> np.ndarray:
    """What a decoded item is multiplied by to be a query, a number or `[D']`: what scores are divided by."""
    return np.asarray(getattr(index, "to_query", getattr(index, "m", 1)), np.float32)


class Collection:
    """What re-ranking and fusion may look at: queries and items in the space of the index.

    Args:
        index: of the N items.
        queries: `[Q, D']`, embedded.
        neighbours: returns the database's own lists, computed once and shared; see `neighbours`.
        floats: queries `[Q, F]` and items `[N, F]` before coding, for `exact` re-ranking; None if not at hand.
        memo: where methods keep what they compute of the database; collections of one database may share it.
        keywords: words of the items, sparse `[N, W]`, only for methods that need them; None without labels.
        own: row of the item that the only query is, if it is one: its keywords are the query's own.
    """

    def __init__(
        self,
        index: Index,
        queries: np.ndarray,
        *,
        neighbours: Callable[[int], Hits] | None = None,
        floats: tuple[np.ndarray, np.ndarray] | None = None,
        memo: dict[Any, Any] | None = None,
        keywords: csr_array | None = None,
        own: int | None = None,
    ) -> None:
        self.index, self.queries, self._neighbours = index, queries, neighbours
        self.floats, self.memo = floats, {} if memo is None else memo
        self.keywords, self.own = keywords, own

    @cached_property
    def items(self) -> np.ndarray:
        """Decoded items, `[N, D']` float32; ⟨query, item⟩ is a score."""
        return self.index.decoded()

    def search(self, queries: np.ndarray, k: int) -> Hits:
        """The best items of moved queries `[Q, D']`."""
        return self.index.search(queries, k)

    def neighbours(self, k: int) -> Hits:
        """The k items most similar to each item, `[N, min(k, N)]`, itself first."""
        if self._neighbours is not None:
            return self._neighbours(k)
        return self.index.search(self.items, k)


STAGES: Registry[Stage] = Registry("stage", Stage)
stage = STAGES.register  # (name, *, kind, idea, formula, source, fit, needs, bounds, gives, queries_only)
