"""Float search beside the codes gives what the run measured, and says what is missing."""

from itertools import pairwise

import numpy as np
import pytest

from transclipped.datasets.registry import load
from transclipped.retrieval.index import FloatIndex, encode
from transclipped.retrieval.metrics import measure
from transclipped.runs.run import RunDir
from transclipped.search import floats
from transclipped.search.searcher import Engine


@pytest.fixture(scope="module")
def engine(tiny_run):
    return Engine(RunDir(tiny_run))


@pytest.fixture(scope="module")
def images(engine):
    return load(engine.run.config.data)


def test_cached_embeddings_code_as_stored_and_measure_as_recorded(engine, images):
    found = floats.database(engine, images)
    stored = engine.stored
    np.testing.assert_array_equal(encode(stored.codebooks, found.embeddings), stored.codes)
    metrics = engine.run.metrics()
    again = measure(
        FloatIndex(found.embeddings, codebooks=len(stored.codebooks)), stored.queries.astype(np.float32),
        query_labels=stored.query_labels, database_labels=stored.database_labels, k=metrics["k"],
    )  # fmt: skip
    assert again.map == pytest.approx(metrics["modes"]["float"]["map"], abs=1e-6)


def test_an_empty_cache_is_told_by_its_number(engine, images, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    assert floats.database(engine, images) == floats.Database(None, len(engine.stored.codes))


def test_reranking_orders_its_items_as_float_search_does(engine, images):
    index = FloatIndex(floats.database(engine, images).embeddings, codebooks=len(engine.stored.codebooks))
    query = engine.stored.queries[3].astype(np.float32)
    whole = [hit.row for hit in floats.search(engine, index, query, top=len(engine.stored.codes))]
    rows = np.array([hit.row for hit in engine.search(query, top=30)])
    row_of = {identity: row for row, identity in enumerate(images.ids.tolist())}
    pictures = [images.picture(row_of[engine.stored.database_ids[row].item()]) for row in rows]
    hits = floats.reranked(engine, query, rows, pictures)
    assert sorted(hit.row for hit in hits) == sorted(rows.tolist())
    places = [whole.index(hit.row) for hit in hits]
    assert sum(a > b for a, b in pairwise(places)) <= 1  # but for the cache's half precision
    assert [hit.rank for hit in hits] == list(range(1, 31))
