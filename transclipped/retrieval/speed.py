"""Bytes and time per query of codes, against the same database as floats, measured on this machine."""

import time
from dataclasses import dataclass

import numpy as np

from transclipped.retrieval.index import FlatIndex, PQIndex

TIMED = 32  # queries
WARMING = 3  # of them, not counted


@dataclass(frozen=True)
class Sizes:
    """Bytes of a database of N items: codes and their codebooks, and the same embeddings as float32."""

    codes: int
    codebooks: int
    floats: int

    @property
    def ratio(self) -> float:
        """How many times larger the floats are."""
        return self.floats / max(1, self.codes + self.codebooks)


def sizes(index: PQIndex) -> Sizes:
    """Bytes of an index, and of float search in its place."""
    m, _, d = index.codebooks.shape
    return Sizes(index.codes.nbytes, index.codebooks.nbytes, index.n * m * d * 4)


@dataclass(frozen=True)
class Times:
    """Median seconds of one query of depth `k`, by codes and by floats."""

    codes: float
    floats: float
    k: int

    @property
    def ratio(self) -> float:
        """How many times longer float search takes; below 1 where it is faster."""
        return self.floats / self.codes


def times(index: PQIndex, queries: np.ndarray, *, k: int = 100) -> Times:
    """Time queries `[Q, D]` one by one, by codes and by exact float search of a database of the same size.

    Float search takes the same time for any floats, so decoded codes replace the embeddings. Queries are repeated or
    left out to make `TIMED`. Raises ValueError without any query.
    """
    if not len(queries):
        raise ValueError("no query to time")
    queries = np.resize(queries.astype(np.float32), (TIMED, queries.shape[1]))
    floats = FlatIndex(index.decoded(), codebooks=1)
    return Times(_median(index, queries, k), _median(floats, queries, k), min(k, index.n))


def _median(index: PQIndex | FlatIndex, queries: np.ndarray, k: int) -> float:
    seconds = []
    for query in queries:
        started = time.perf_counter()
        index.search(query[None], k)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[WARMING:]))
