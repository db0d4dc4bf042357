"""Synthetic vectors, and arrays of a run, for tests of maps."""

import numpy as np

from transclipped.retrieval.store import Retrieval


def groups(rng, n=90, d=6):
    """Three groups far apart."""
    return (10 * rng.normal(size=(3, d))[np.arange(n) % 3] + rng.normal(size=(n, d))).astype(np.float32)


def stored_of(rng, *, q=12, n=30, labelled=True):
    codebooks, queries = rng.normal(size=(2, 16, 3)), rng.normal(size=(q, 2, 3))
    codebooks = (codebooks / np.linalg.norm(codebooks, axis=-1, keepdims=True)).astype(np.float32)
    queries = (queries / np.linalg.norm(queries, axis=-1, keepdims=True)).reshape(q, 6).astype(np.float16)
    codes = rng.integers(0, 16, (n, 2)).astype(np.uint8)
    labels = (rng.integers(0, 3, n), rng.integers(0, 3, q)) if labelled else (None, None)
    return Retrieval(codebooks, codes, np.arange(n), queries, np.arange(100, 100 + q), *labels)
