"""Float search beside the codes equals the measurement, and missing embeddings are counted."""

from itertools import pairwise

import numpy as np
import pytest

from transclipped.datasets.registry import load
from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.metrics import measure
from transclipped.runs.run import RunDir
from transclipped.search import floats
from transclipped.search.searcher import Searcher


@pytest.fixture(scope="module")
def searcher(tiny_run):
    return Searcher(RunDir(tiny_run))


@pytest.fixture(scope="module")
def images(searcher):
    return load(searcher.run.config.data)


def test_cached_embeddings_code_as_stored_and_measure_as_recorded(searcher, images):
    result = floats.database(searcher, images)
    stored = searcher.stored
    np.testing.assert_array_equal(encode(stored.codebooks, result.embeddings), stored.codes)
    metrics, queries = searcher.run.metrics(), stored.queries.astype(np.float32)
    index = FlatIndex(result.embeddings, codebooks=len(stored.codebooks))
    labels = {"query_labels": stored.query_labels, "database_labels": stored.database_labels}
    again = measure(index, queries, k=metrics["k"], **labels)
    assert again.map == pytest.approx(metrics["modes"]["float"]["map"], abs=1e-6)


def test_an_empty_cache_is_reported_with_the_number_missing(searcher, images, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    assert floats.database(searcher, images) == floats.Database(None, len(searcher.stored.codes))


def test_reranking_orders_its_items_as_float_search_does(searcher, images):
    index = FlatIndex(floats.database(searcher, images).embeddings, codebooks=len(searcher.stored.codebooks))
    query = searcher.stored.queries[3].astype(np.float32)
    whole = [hit.row for hit in floats.search(searcher, index, query, top=len(searcher.stored.codes))]
    rows = np.array([hit.row for hit in searcher.search(query, top=30)])
    decoded = [images.image(row) for row in images.rows_of(searcher.stored.database_ids[rows])]
    hits = floats.reranked(searcher, query, rows, decoded)
    assert sorted(hit.row for hit in hits) == sorted(rows.tolist())
    places = [whole.index(hit.row) for hit in hits]
    assert sum(a > b for a, b in pairwise(places)) <= 1  # but for the cache's half precision
    assert [hit.rank for hit in hits] == list(range(1, 31))
