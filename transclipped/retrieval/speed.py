"""What codes save: bytes and time per query, against the same database as floats, measured where this runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from transclipped.retrieval.index import FlatIndex, PQIndex

TIMED = 32  # queries, one by one
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
    """Ask one query after the other, by codes and by exact float search of a database of the same size.

    The time of float search does not depend on what the floats are, so decoded codes stand for the embeddings.

    Args:
        queries: `[Q, D]`, at least one; they are repeated or left out to make `TIMED`.

    Raises:
        ValueError: there is no query.
    """
    if not len(queries):
        raise ValueError("there is no query to time")
    asked = np.resize(queries.astype(np.float32), (TIMED, queries.shape[1]))
    floats = FlatIndex(index.decoded(), codebooks=1)
    return Times(_median(index, asked, k), _median(floats, asked, k), min(k, index.n))


def _median(index: PQIndex | FlatIndex, queries: np.ndarray, k: int) -> float:
    seconds = []
    for query in queries:
        started = time.perf_counter()
        index.search(query[None], k)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[WARMING:]))
