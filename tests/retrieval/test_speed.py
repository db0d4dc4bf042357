"""Bytes by hand, and times of the right searches."""

import numpy as np
import pytest

from transclipped.retrieval import speed
from transclipped.retrieval.index import PQIndex


def random_index(n=50):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(4, 256, 16)).astype(np.float32)
    return PQIndex(codebooks, rng.integers(256, size=(n, 4)).astype(np.uint8)), rng.normal(size=(5, 64))


def test_sizes_are_one_byte_per_codebook_against_four_per_number():
    result = speed.sizes(random_index(n=50_000)[0])
    assert (result.codes, result.codebooks, result.floats) == (200_000, 65_536, 12_800_000)
    assert result.ratio == pytest.approx(12_800_000 / 265_536)


def test_both_indexes_search_every_query_one_by_one(monkeypatch):
    index, queries = random_index()
    calls = {"PQIndex": [], "FlatIndex": []}
    for kind in (speed.PQIndex, speed.FlatIndex):
        search = kind.search

        def spied(self, queries, k, search=search):
            calls[type(self).__name__].append((len(queries), k))
            return search(self, queries, k)

        monkeypatch.setattr(kind, "search", spied)
    result = speed.times(index, queries, k=80)
    assert calls["PQIndex"] == calls["FlatIndex"] == [(1, 80)] * speed.TIMED
    assert result.k == 50 and result.codes > 0 and result.floats > 0
    assert result.ratio == result.floats / result.codes
    with pytest.raises(ValueError, match="no query"):
        speed.times(index, np.zeros((0, 64)))
