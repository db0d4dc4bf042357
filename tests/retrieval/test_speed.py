"""Bytes by hand, and times that are of the searches they name."""

import numpy as np
import pytest

from transclipped.retrieval import speed
from transclipped.retrieval.index import PQIndex


def made(n=50):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(4, 256, 16)).astype(np.float32)
    return PQIndex(codebooks, rng.integers(256, size=(n, 4)).astype(np.uint8)), rng.normal(size=(5, 64))


def test_sizes_are_a_byte_a_codebook_against_four_a_number():
    found = speed.sizes(made(n=50_000)[0])
    assert (found.codes, found.codebooks, found.floats) == (200_000, 65_536, 12_800_000)
    assert found.ratio == pytest.approx(12_800_000 / 265_536)


def test_both_searches_are_asked_every_query_one_by_one(monkeypatch):
    index, queries = made()
    asked = {"PQIndex": [], "FlatIndex": []}
    for kind in (speed.PQIndex, speed.FlatIndex):
        search = kind.search

        def spied(self, queries, k, search=search):
            asked[type(self).__name__].append((len(queries), k))
            return search(self, queries, k)

        monkeypatch.setattr(kind, "search", spied)
    found = speed.times(index, queries, k=80)
    assert asked["PQIndex"] == asked["FlatIndex"] == [(1, 80)] * speed.TIMED
    assert found.k == 50 and found.codes > 0 and found.floats > 0
    assert found.ratio == found.floats / found.codes


def test_without_queries_there_is_nothing_to_time():
    with pytest.raises(ValueError, match="no query"):
        speed.times(made()[0], np.zeros((0, 64)))
