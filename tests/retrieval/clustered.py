"""Small collections of clustered vectors for tests of re-ranking and fusion."""

import numpy as np

from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.stages import Collection


def clustered(n, *, queries=5, clusters=6, d=8, spread=0.6, seed=0):
    """Unit vectors around random centres: items `[n, d]` and queries `[queries, d]` float32."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(clusters, d))
    x = centres[rng.integers(clusters, size=n + queries)] + spread * rng.normal(size=(n + queries, d))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    return x[:n], x[n:]


def flat(items, queries, k=20):
    """First hits and collection of float vectors."""
    collection = Collection(FlatIndex(items, codebooks=1), queries)
    return collection.search(queries, k), collection


def coded(n=60, *, queries=5, k=20, seed=0):
    """First hits and collection of product codes: 4 codebooks of 16 unit codewords."""
    rng = np.random.default_rng(seed)
    books = rng.normal(size=(4, 16, 3))
    books = (books / np.linalg.norm(books, axis=-1, keepdims=True)).astype(np.float32)
    vectors = rng.normal(size=(queries, 4, 3))
    vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).reshape(queries, 12).astype(np.float32)
    collection = Collection(PQIndex(books, rng.integers(16, size=(n, 4)).astype(np.uint8)), vectors)
    return collection.search(vectors, k), collection


UGLY = {
    "one item": lambda: flat(*clustered(1, queries=2), k=20),
    "fewer than k": lambda: flat(*clustered(7, queries=2), k=20),
    "all equal": lambda: flat(np.ones((30, 4), np.float32), np.ones((3, 4), np.float32)),
    "zeros": lambda: flat(np.zeros((30, 4), np.float32), np.ones((3, 4), np.float32)),
    "duplicates": lambda: flat(np.repeat(clustered(15)[0], 4, 0), clustered(15)[1]),
    "no item": lambda: flat(np.zeros((0, 4), np.float32), np.ones((2, 4), np.float32)),
    "no query": lambda: flat(clustered(30)[0], clustered(30)[1][:0]),
    "codes": coded,
}


def assert_in_order(hits, n, shape):
    """Hits `[Q, k]` with distinct rows of the database, by score descending, then row ascending."""
    assert hits.scores.shape == hits.rows.shape == shape
    assert hits.scores.dtype == np.float32 and hits.rows.dtype == np.int64
    assert np.isfinite(hits.scores).all()
    for scores, rows in zip(hits.scores.tolist(), hits.rows.tolist(), strict=True):
        pairs = [(-s, r) for s, r in zip(scores, rows, strict=True)]
        assert pairs == sorted(pairs)
        assert len(set(rows)) == len(rows) and set(rows) <= set(range(n))
