"""What holds for every code: scores and order of its index, few and ugly vectors, and repeated fits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transclipped.retrieval.coding  # noqa: F401
from transclipped.errors import InputError
from transclipped.retrieval.stages import STAGES

HERE = "transclipped.retrieval."  # trained heads register codes, too, if their module has been imported
NAMES = [
    name for name, stage in STAGES.items() if stage.kind == "coding" and stage.function.__module__.startswith(HERE)
]
SHORT = [name for name in NAMES if "bits" in STAGES[name].options]
each = pytest.mark.parametrize("name", NAMES)
D = 20


def some(n, d=D, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def indexed(name, vectors, training=None, **options):
    """Index by a method that learns from `training`, or else from the vectors."""
    stage = STAGES[name]
    if name in SHORT:
        options = {"bits": 16} | options
    state = [stage.fit(vectors if training is None else training, **options)] if stage.fit else []
    return stage.function(vectors, *state, **options)


def ranked(queries, items, k):
    """Rows by score, ties by row, from inner products in float64 that are rounded to hide the order of summation."""
    scores = (queries.astype(np.float64) @ items.astype(np.float64).T).round(5)
    return [sorted(range(len(items)), key=lambda row: (-line[row], row))[:k] for line in scores]


@each
@given(n=st.integers(1, 60), k=st.integers(1, 70), seed=st.integers(0, 50))
@settings(max_examples=15, deadline=None)
def test_hits_follow_the_inner_products_with_decoded_items(name, n, k, seed):
    index = indexed(name, some(n, seed=seed))
    queries = index.embed(some(4, seed=seed + 1))
    hits, items = index.search(queries, k), index.decoded()
    assert index.n == n and len(items) == n and hits.rows.shape == hits.scores.shape == (4, min(k, n))
    scores = queries @ items.T
    np.testing.assert_allclose(hits.scores, np.take_along_axis(scores, hits.rows, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(hits.scores, -np.sort(-scores)[:, :k], rtol=1e-4, atol=1e-5)
    assert all(len({*line}) == min(k, n) for line in hits.rows.tolist())


@each
def test_duplicates_tie_and_come_in_order_of_rows(name):
    x = some(5)[np.random.default_rng(1).integers(5, size=400)]
    index = indexed(name, x)
    queries = index.embed(x[:3])
    assert index.search(queries, 300).rows.tolist() == ranked(queries, index.decoded(), 300)


@each
def test_moved_queries_are_searched_as_any_other(name):
    index = indexed(name, some(50))
    moved = index.embed(some(3, seed=1)) + 0.3 * index.decoded()[:3]
    hits, scores = index.search(moved, 9), moved @ index.decoded().T
    np.testing.assert_allclose(hits.scores, -np.sort(-scores)[:, :9], rtol=1e-5)
    np.testing.assert_allclose(hits.scores, np.take_along_axis(scores, hits.rows, 1), rtol=1e-5)


@each
def test_number_type_and_layout_in_memory_change_nothing_and_fits_repeat(name):
    x = some(40).astype(np.float16)
    expected = indexed(name, x.astype(np.float32))
    for other in (x, x.astype(np.float64), np.repeat(x, 2, axis=0)[::2], np.asfortranarray(x)):
        index = indexed(name, other)
        np.testing.assert_array_equal(index.decoded(), expected.decoded())
        np.testing.assert_array_equal(index.embed(other), expected.embed(x.astype(np.float32)))


@each
def test_an_empty_database_answers_without_hits(name):
    index = indexed(name, some(40)[:0], some(40))
    queries = index.embed(some(3))
    assert index.n == 0 and index.search(queries, 5).rows.shape == (3, 0)
    assert index.decoded().shape == (0, queries.shape[1])
    assert indexed(name, some(40)).search(queries[:0], 5).rows.shape == (0, 5)


@each
@pytest.mark.parametrize("x", [np.zeros((6, D)), np.ones((6, D)), some(1), some(2)], ids=["zeros", "ones", "1", "2"])
def test_little_to_learn_from_is_enough(name, x):
    index = indexed(name, x)
    queries = index.embed(x)
    hits = index.search(queries, 9)
    assert np.isfinite(hits.scores).all() and hits.rows.shape == (len(x), len(x))
    assert hits.rows.tolist() == ranked(queries, index.decoded(), 9)


@each
def test_what_cannot_be_coded_is_refused(name):
    x = some(9)
    x[4, 2] = np.nan
    with pytest.raises(InputError, match="row 4"):
        indexed(name, x, some(9))
    index = indexed(name, some(9))
    if name != "float":
        with pytest.raises(InputError, match=r"20 .* 21"):
            index.embed(some(2, D + 1))
    if STAGES[name].fit:
        with pytest.raises(InputError, match=r"20 .* 21"):
            indexed(name, some(9, D + 1), some(9))
        with pytest.raises(InputError, match="none"):
            indexed(name, some(9), some(9)[:0])


@pytest.mark.parametrize("name", SHORT)
def test_bits_fill_whole_bytes(name):
    for bits in (8, 16):
        assert indexed(name, some(300), bits=bits).bytes_per_item == bits / 8
    for bits in (0, 4, 12, -8):
        with pytest.raises(InputError, match=f"bits={bits}") as refused:
            indexed(name, some(9), bits=bits)
        assert refused.value.setting == "bits"


@pytest.mark.parametrize("name", ["itq", "opq", "pq"])
def test_more_bits_than_the_vectors_carry_are_refused(name):
    with pytest.raises(InputError, match="20 numbers"):
        indexed(name, some(9), bits=168)


@pytest.mark.parametrize("name", NAMES)
def test_items_near_a_query_come_before_the_others(name):
    """Forty groups of ten: most of a query's ten best are of its own group."""
    centres = some(40)
    x = np.repeat(centres, 10, axis=0) + 0.15 * some(400, seed=1)
    index = indexed(name, x, **({"bits": 16 if name == "itq" else 32} if name in SHORT else {}))
    rows = index.search(index.embed(centres), 10).rows
    assert (rows // 10 == np.arange(40)[:, None]).mean() > 0.8
