"""Grouping items by code changes no ranking."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.retrieval import index as module
from transclipped.retrieval.index import PQIndex
from transclipped.retrieval.ties import border, shared_codes, tied_first


def random_codes(seed, *, n=90, m=2, k=3, q=4):
    rng = np.random.default_rng(seed)
    codebooks = rng.normal(size=(m, k, 4)).astype(np.float32)
    codebooks /= np.linalg.norm(codebooks, axis=-1, keepdims=True)
    codebooks[:, -1] = codebooks[:, 0]  # different codes tie, too
    return codebooks, rng.integers(k, size=(n, m)).astype(np.uint8), rng.normal(size=(q, m * 4)).astype(np.float32)


def test_items_are_grouped_by_code_in_order_of_row():
    codes = random_codes(0)[1]
    shared = shared_codes(codes)
    assert len(np.unique(shared.codes, axis=0)) == len(shared.codes) == 9
    assert shared.count.sum() == 90
    for code, begin, count in zip(shared.codes, shared.begin, shared.count, strict=True):
        expected = np.flatnonzero((codes == code).all(1))
        np.testing.assert_array_equal(shared.rows[begin : begin + count], expected)


@pytest.mark.parametrize("m", [1, 3, 8])
def test_codes_that_rarely_tie_are_not_grouped(m):
    rng = np.random.default_rng(0)
    codes = rng.integers(256, size=(100, m)).astype(np.uint8)
    assert (shared_codes(codes) is None) == (2 * len(np.unique(codes, axis=0)) > 100)
    assert shared_codes(np.zeros((100, 9), np.uint8)) is None  # too long to pack


def test_written_out_equals_the_loop():
    shared = shared_codes(random_codes(1)[1])
    rng = np.random.default_rng(2)
    which = np.stack([rng.permutation(9)[:5] for _ in range(4)])
    scores = -np.sort(-rng.normal(size=(4, 5)).astype(np.float32), axis=1)
    taken = np.array([1, 5, 0, 3])
    found_scores, found_rows = shared.written_out(scores, which, taken)
    for i in range(4):
        rows = [r for c in which[i, : taken[i]] for r in shared.rows[shared.begin[c] :][: shared.count[c]]]
        values = [s for s, c in zip(scores[i, : taken[i]], which[i], strict=False) for _ in range(shared.count[c])]
        np.testing.assert_array_equal(found_rows[i, : len(rows)], rows)
        np.testing.assert_array_equal(found_scores[i, : len(rows)], values)
        assert (found_scores[i, len(rows) :] == -np.inf).all()


def test_border_includes_whole_tied_groups():
    scores = np.array([[0.9, 0.5, 0.5, 0.1], [0.9, 0.8, 0.7, 0.6]], np.float32)
    count = np.array([[2, 2, 3, 1], [1, 1, 1, 1]])
    taken, enough = border(scores, count, 3)
    np.testing.assert_array_equal(taken, [3, 3])
    np.testing.assert_array_equal(enough, [True, True])
    assert border(scores, count, 5)[1].tolist() == [True, False]


@given(seed=st.integers(0, 10_000), k=st.integers(1, 90), kinds=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_search_is_the_same_with_and_without_groups(seed, k, kinds):
    codebooks, codes, queries = random_codes(seed)
    codes %= kinds
    grouped = PQIndex(codebooks, codes)
    assert grouped._shared is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "shared_codes", lambda codes: None)
        plain = PQIndex(codebooks, codes)
        assert plain._shared is None
    one, other = grouped.search(queries, k), plain.search(queries, k)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.scores, other.scores)
    for part, hits in grouped.complete(queries, k):  # all ties with the k-th are included
        level = hits.scores[:, [k - 1]]
        whole = plain.search(queries[part], 90).scores
        np.testing.assert_array_equal((hits.scores >= level).sum(1), (whole >= level).sum(1))


@given(st.integers(0, 999), st.integers(1, 60), st.lists(st.integers(0, 89), max_size=3, unique=True))
@settings(max_examples=40, deadline=None)
def test_rows_named_first_precede_their_ties_even_from_beyond_the_last_rank(seed, k, first):
    codebooks, codes, queries = random_codes(seed)
    index = PQIndex(codebooks, codes)
    hits, every = index.search(queries[:1], k), index.search(queries[:1], 90)
    rows, scores = tied_first(hits.rows[0], hits.scores[0], codes, first)
    np.testing.assert_array_equal(scores, hits.scores[0])  # only the order of ties changes
    score_of = dict(zip(every.rows[0].tolist(), every.scores[0].tolist(), strict=True))
    assert [score_of[row] for row in rows.tolist()] == scores.tolist() and len(set(rows.tolist())) == k
    for row in first:
        shares = any((codes[other] == codes[row]).all() for other in hits.rows[0].tolist())
        others = sum(score_of[other] == score_of[row] for other in first)
        if shares:
            level = [r for r, s in zip(rows.tolist(), scores.tolist(), strict=True) if s == score_of[row]]
            assert row in level[: max(1, others)] or len(level) < others
    rest = [row for row in rows.tolist() if row not in first]
    assert rest == [row for row in hits.rows[0].tolist() if row not in first][: len(rest)]


def test_without_ties_or_names_a_ranking_stays_as_it_is():
    codes = np.array([[0], [1], [2]], np.uint8)
    rows, scores = np.array([2, 0]), np.array([0.9, 0.1], np.float32)
    for first in ([], [1], [0]):
        np.testing.assert_array_equal(tied_first(rows, scores, codes, first)[0], rows)
    assert len(tied_first(rows[:0], scores[:0], codes, [1])[0]) == 0
