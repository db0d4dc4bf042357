"""Helpers on lists against plain Python, and items as queries in every kind of index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.retrieval.clustered import assert_in_order, clustered, coded, flat
from tests.retrieval.test_chain import source
from transclipped.retrieval.chain import Store, ranker
from transclipped.retrieval.index import Hits
from transclipped.retrieval.line import parse
from transclipped.retrieval.lists import as_queries, by_place, first_distinct, own_first, own_lists, reaching, united
from transclipped.retrieval.orders import Order, Positions, sort
from transclipped.retrieval.stages import Collection

ROWS = st.lists(st.lists(st.integers(0, 6), min_size=7, max_size=7), min_size=1, max_size=5)


@given(rows=ROWS, k=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_the_first_distinct_rows(rows, k):
    rows = [[*row, 10, 11, 12, 13] for row in rows]
    result = first_distinct(np.array(rows), k)
    assert result.tolist() == [list(dict.fromkeys(row))[:k] for row in rows]


@given(rows=ROWS, k=st.integers(1, 4))
@settings(max_examples=60, deadline=None)
def test_united_rows_have_the_sum_of_their_values(rows, k):
    rows = np.array([[*row, 10, 11, 12, 13] for row in rows])
    values = np.random.default_rng(0).integers(0, 9, rows.shape).astype(float)
    hits = united(rows, values, k)
    for q, (row, value) in enumerate(zip(rows.tolist(), values.tolist(), strict=True)):
        total = {i: sum(v for j, v in zip(row, value, strict=True) if i == j) for i in row}
        expected = sorted(total, key=lambda i, total=total: (-total[i], i))[:k]
        assert hits.rows[q].tolist() == expected
        assert hits.scores[q].tolist() == [total[i] for i in expected]


@given(seed=st.integers(0, 200), length=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_positions_and_places_are_those_of_a_walk_through_the_list(seed, length):
    rng = np.random.default_rng(seed)
    lists = np.array([rng.permutation(9)[:length] for _ in range(9)])
    items, of = rng.integers(9, size=(2, 4, 5))
    expected = [
        [row.index(i) if i in (row := lists[q].tolist()) else length for i, q in zip(a, b, strict=True)]
        for a, b in zip(items.tolist(), of.tolist(), strict=True)
    ]
    assert Positions(lists).of(items, of).tolist() == expected
    values = -np.sort(-rng.integers(0, 5, lists.shape), 1).astype(np.float32)
    value = rng.integers(0, 6, of.shape)
    expected = [
        [sum(x > v for x in values[q].tolist()) for v, q in zip(a, b, strict=True)]
        for a, b in zip(value.tolist(), of.tolist(), strict=True)
    ]
    assert Order(lists, values).place(of, value).tolist() == expected


def test_sorting_is_stable_and_a_list_keeps_its_own_item_first():
    lists = np.array([[0, 3, 5, 4], [1, 2, 0, 3]])
    rows, values = sort(lists, np.array([[2.0, 1, 3, 1], [9, 1, 1, 1]]))
    assert rows.tolist() == [[0, 5, 3, 4], [1, 2, 0, 3]]
    assert values.tolist() == [[2, 3, 1, 1], [9, 1, 1, 1]]
    assert lists.tolist() == [[0, 3, 5, 4], [1, 2, 0, 3]]


def test_lists_begin_with_their_own_item_even_among_equals():
    lists = own_first(np.array([[1, 0, 2], [2, 0, 3], [2, 1, 0], [0, 1, 2]]))
    assert lists.tolist() == [[0, 1, 2], [1, 2, 0], [2, 1, 0], [3, 0, 1]]
    _, collection = flat(np.ones((30, 4), np.float32), np.ones((1, 4), np.float32))
    assert (own_lists(collection, 5).rows[:, 0] == np.arange(30)).all()


def test_short_hits_are_continued_by_the_search():
    items, queries = clustered(40)
    hits, collection = flat(items, queries, k=12)
    back = Hits(hits.scores[:, ::-1], hits.rows[:, ::-1])
    longer = reaching(back, queries, collection, 20)
    np.testing.assert_array_equal(longer[:, :12], back.rows)
    np.testing.assert_array_equal(longer[:, 12:], collection.search(queries, 20).rows[:, 12:])
    np.testing.assert_array_equal(reaching(back, queries, collection, 3), back.rows[:, :3])


def test_scores_by_place_fall_strictly():
    hits = by_place(np.array([[3, 1, 2], [0, 5, 4]]))
    assert_in_order(hits, 6, (2, 3))
    assert hits.scores[0].tolist() == pytest.approx([1, 2 / 3, 1 / 3])


INDEXES = (
    "l2 | float",
    "l2 | pq(16)",
    "l2 | opq(16)",
    "l2 | itq(8)",
    "l2 | lsh(16)",
    "rrf(l2 | pq(16) + l2 | lsh(16))",
)


@pytest.mark.parametrize("text", INDEXES)
def test_an_item_as_a_query_scores_like_a_query(text):
    index = ranker(parse(text), source(), Store()).index
    collection = Collection(index, np.zeros((1, index.decoded().shape[1]), np.float32))
    lists = own_lists(collection, 60)
    hits = index.search(as_queries(collection), 60)
    np.testing.assert_allclose(lists.scores, hits.scores, atol=1e-5)
    if "pq" not in text and "rrf" not in text:  # of unit vectors and of signs, nothing is more similar to an item
        np.testing.assert_allclose(lists.scores[:, 0], 1, atol=1e-5)


def test_items_of_unit_codewords_as_queries_are_their_codewords():
    _, collection = coded()
    np.testing.assert_allclose(np.linalg.norm(as_queries(collection).reshape(60, 4, 3), axis=-1), 1, atol=1e-6)


METHODS = ("qe", "aqe", "rocchio", "exact", "k-reciprocal", "flow", "cprr", "uair(2)")
RERANKING = (*METHODS, "flow | k-reciprocal", "qe | cprr")
FUSION = ("rrf", "sum", "cprr-fusion", "select")


@pytest.mark.parametrize("coding", ["float", "pq(16)", "lsh(16)"])
@pytest.mark.parametrize("method", RERANKING)
def test_every_re_ranking_takes_every_code(method, coding):
    assert_in_order(ranker(parse(f"l2 | {coding} | {method}"), source(), Store()).hits(12).value, 60, (7, 12))


@pytest.mark.parametrize("after", ["", " | k-reciprocal", " | flow", " | cprr", " | qe"])
@pytest.mark.parametrize("method", FUSION)
def test_every_fusion_takes_branches_of_every_code_and_can_be_re_ranked(method, after):
    line = parse(f"{method}(l2 | float + pca(4) | l2 | pq(16) + l2 | lsh(16) | qe){after}")
    assert_in_order(ranker(line, source(), Store()).hits(12).value, 60, (7, 12))
