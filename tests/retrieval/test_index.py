"""Search against brute force and faiss's encoding; examples in docstrings."""

import doctest

import faiss
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.retrieval import index, metrics
from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.index import FlatIndex, PQIndex, ordered


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def random_codes(n=500, q=7, m=4, k=16, d=8, seed=0):
    rng = np.random.default_rng(seed)
    codebooks = unit(rng.normal(size=(m, k, d))).astype(np.float32)
    codes = rng.integers(k, size=(n, m)).astype(np.uint8)
    queries = unit(rng.normal(size=(q, m, d))).reshape(q, -1).astype(np.float32)
    return codebooks, codes, queries


def table_scores(codebooks, codes, queries):
    m, _, d = codebooks.shape
    scores = np.zeros((len(queries), len(codes)))
    for i, query in enumerate(queries.astype(np.float64)):
        for j, code in enumerate(codes):
            scores[i, j] = sum(query[b * d : (b + 1) * d] @ codebooks[b, code[b]] for b in range(m)) / m
    return scores


@pytest.mark.parametrize(("m", "k"), [(2, 256), (4, 16), (8, 4), (1, 2)])
def test_scores_equal_table_look_ups(m, k):
    codebooks, codes, queries = random_codes(m=m, k=k)
    hits = PQIndex(codebooks, codes).search(queries, 500)
    expected = table_scores(codebooks, codes, queries)
    assert np.abs(np.take_along_axis(expected, hits.rows, 1) - hits.scores).max() < 1e-5
    assert all(sorted(row) == list(range(500)) for row in hits.rows)


@given(seed=st.integers(0, 1000), k=st.integers(1, 60))
@settings(max_examples=25, deadline=None)
def test_order_is_score_descending_then_row_ascending_even_at_a_tied_border(seed, k):
    codebooks, codes, queries = random_codes(n=60, q=3, m=2, k=3, seed=seed)  # nine codes: ties everywhere
    index = PQIndex(codebooks, codes)
    whole = index.search(queries, 60)
    for scores, rows in zip(whole.scores, whole.rows, strict=True):
        assert [*rows] == [r for _, r in sorted(zip(-scores, rows, strict=True))]
    part = index.search(queries, k)
    np.testing.assert_array_equal(part.rows, whole.rows[:, :k])


def test_faiss_encoding_agrees_unless_codewords_are_close():
    codebooks, _, _ = random_codes(k=256, d=16)
    vectors = unit(np.random.default_rng(1).normal(size=(2000, 4, 16))).astype(np.float32)
    ours = encode(codebooks, vectors.reshape(2000, -1))
    index = PQIndex(codebooks, ours)  # owns the memory of its quantizer
    theirs = index.faiss_index.pq.compute_codes(vectors.reshape(2000, -1))
    best = np.sort(np.einsum("nmd,mkd->nmk", vectors, codebooks), axis=-1)
    clear = best[..., -1] - best[..., -2] > 1e-5
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(ours[clear], theirs[clear])


def test_explanation_sums_to_the_score():
    codebooks, codes, queries = random_codes()
    index = PQIndex(codebooks, codes)
    hits = index.search(queries, 20)
    for query, rows, scores in zip(queries, hits.rows, hits.scores, strict=True):
        parts = index.explain(query, rows)
        assert parts.shape == (20, 4)
        np.testing.assert_allclose(parts.sum(1), scores, atol=1e-6)


def test_float_search_equals_brute_force_and_returns_at_most_all_items():
    _, _, items = random_codes(q=300)
    _, _, queries = random_codes(q=5, seed=9)
    hits = FlatIndex(items, codebooks=4).search(queries, 300)
    expected = np.argsort(-(queries @ items.T), axis=1)
    np.testing.assert_array_equal(hits.rows, expected)
    codebooks, codes, queries = random_codes(n=5)
    assert PQIndex(codebooks, codes).search(queries, 100).rows.shape == (7, 5)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=30))
def test_packed_sort_equals_lexsort(values):
    scores = np.array([values], np.float32)
    rows = np.arange(len(values))[None]
    expected = np.lexsort((rows[0], -(scores[0] + 0)))
    got_scores, got_rows = ordered(scores, rows.copy())
    np.testing.assert_array_equal(got_rows[0], expected)
    np.testing.assert_array_equal(got_scores[0], scores[0][expected] + np.float32(0))


def test_an_index_without_items_answers_with_no_hits():
    codebooks, codes, queries = random_codes()
    for one in (PQIndex(codebooks, codes[:0]), FlatIndex(queries[:0], codebooks=4)):
        hits = one.search(queries, 5)
        assert hits.rows.shape == hits.scores.shape == (7, 0)


def test_code_that_names_no_codeword_is_refused():
    codebooks, codes, _ = random_codes(k=4)
    with pytest.raises(InputError, match="codeword"):
        PQIndex(codebooks, codes + 4)
    with pytest.raises(InputError, match="codebooks"):
        PQIndex(codebooks, codes[:, :3])


@pytest.mark.parametrize(("shape", "codebooks"), [((5,), 1), ((5, 6), 4), ((5, 6), 0)])
def test_embeddings_that_do_not_divide_into_sub_vectors_are_refused(shape, codebooks):
    with pytest.raises(InputError, match="sub-vectors"):
        FlatIndex(np.zeros(shape, np.float32), codebooks=codebooks)


def test_plain_faiss_finds_the_same_in_the_written_index(tmp_path):
    codebooks, codes, queries = random_codes()
    index = PQIndex(codebooks, codes)
    faiss.write_index(index.faiss_index, str(tmp_path / "codes.faiss"))
    scores, _ = faiss.read_index(str(tmp_path / "codes.faiss")).search(queries, 10)
    np.testing.assert_allclose(scores / 4, index.search(queries, 10).scores, atol=1e-6)


@pytest.mark.parametrize("kinds", [1, 3])
def test_hits_in_memory_are_bounded_however_many_items_tie(kinds, monkeypatch):
    codebooks, codes, queries = random_codes(n=400, q=40, m=2)
    codes[:] %= kinds
    index_ = PQIndex(codebooks, codes)
    whole = index_.search(queries, 400)
    monkeypatch.setattr(index, "CELLS", 1000)
    yielded = []
    for part, hits in index_.complete(queries, 10):
        assert hits.rows.size <= 1000
        np.testing.assert_array_equal(hits.rows[:, :10], whole.rows[part, :10])
        yielded += part.tolist()
    assert sorted(yielded) == list(range(40))


@pytest.mark.parametrize("module", [index, metrics])
def test_examples_in_docstrings(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed
