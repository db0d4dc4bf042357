"""Exact re-ranking sorts the same items by their float vectors."""

import numpy as np
import pytest

from tests.retrieval.clustered import UGLY, assert_in_order, clustered, coded, flat
from transclipped.errors import InputError
from transclipped.retrieval.reranking.exact import exact


def test_the_same_items_are_sorted_by_their_floats():
    hits, collection = coded()
    rng = np.random.default_rng(3)
    queries, items = rng.normal(size=(5, 7)), rng.normal(size=(60, 7))
    collection.floats = queries, items
    again = exact(hits, collection)
    for q, rows in enumerate(hits.rows.tolist()):
        expected = sorted(rows, key=lambda row: (-float(queries[q] @ items[row]), row))
        assert again.rows[q].tolist() == expected
        np.testing.assert_allclose(again.scores[q], [queries[q] @ items[row] for row in expected], atol=1e-5)


@pytest.mark.parametrize("case", UGLY)
def test_ugly_collections_give_hits_in_order(case):
    hits, collection = UGLY[case]()
    collection.floats = collection.queries.astype(np.float16), np.asfortranarray(collection.items)
    assert_in_order(exact(hits, collection), collection.index.n, hits.rows.shape)


def test_missing_or_foreign_floats_are_refused():
    hits, collection = flat(*clustered(30))
    with pytest.raises(InputError, match="not stored"):
        exact(hits, collection)
    for floats in (
        (collection.queries[:2], collection.items),
        (collection.queries, collection.items[:9]),
        (collection.queries[:, :4], collection.items),
    ):
        collection.floats = floats
        with pytest.raises(InputError, match="do not belong"):
            exact(hits, collection)
    collection.floats = collection.queries, np.full_like(collection.items, np.nan)
    with pytest.raises(InputError, match="NaN"):
        exact(hits, collection)
