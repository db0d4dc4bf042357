"""Expansion of queries before coding: queries move as `smooth` moves them, items never."""

import numpy as np
import pytest

import transclipped as tc
from tests.retrieval.augmentation.test_dba import some
from tests.retrieval.test_chain import Arrays
from transclipped.retrieval.augmentation.expand import expand
from transclipped.retrieval.augmentation.smooth import fit
from transclipped.retrieval.chain import Store, ranker
from transclipped.retrieval.line import parse


def test_a_query_becomes_the_mean_of_its_nearest_items_and_items_stay():
    x, q = some(50, d=8), some(4, d=8, seed=1)
    pipeline = tc.Pipeline("l2 | expand(3) | float").fit(x)
    items = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(pipeline.fitted.vectors(1, "database"), items, atol=1e-6)
    for query, moved in zip(q, pipeline.fitted.encoded(q), strict=True):
        mean = items[np.argsort(-(items @ query), kind="stable")[:3]].sum(0)
        np.testing.assert_allclose(moved, mean / np.linalg.norm(mean), atol=1e-5)


@pytest.mark.parametrize("blocks", [("query", "database"), ("database", "query")])
def test_queries_that_are_the_database_itself_do_not_share_its_vectors(blocks):
    x = some(40, d=8)
    chain = ranker(parse("l2 | expand(5) | l2 | float"), Arrays(train=x, database=x, query=x), Store())
    results = {block: chain.vectors(2, block) for block in blocks}
    items = x / np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(results["database"], items, atol=1e-6)
    assert np.abs(results["query"] - items).max() > 0.1


def test_one_neighbour_makes_a_query_its_nearest_item():
    x = some(20, d=8)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    np.testing.assert_allclose(expand(x, fit(x, database=x), k=1), x, atol=1e-6)


def test_saved_pipelines_expand_alike_and_the_vectors_count_as_bytes(tmp_path):
    x = some(50, d=8)
    pipeline = tc.Pipeline("l2 | expand(5) | pq(8)").fit(x)
    assert pipeline.fitted.bytes_per_item == 1 + 8 * 4
    pipeline.save(tmp_path / "saved")
    loaded = tc.Pipeline.load(tmp_path / "saved")
    np.testing.assert_array_equal(loaded.search(x[:3], 5).rows, pipeline.search(x[:3], 5).rows)
