"""Labels as keywords: votes against loops, who voted, and the measure of words."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.errors import InputError
from transclipped.retrieval.index import Hits
from transclipped.retrieval.keywords import annotate, best_words, keywords, per_word_f1, probabilities


def some(seed=0, q=4, n=12, w=5, k=6):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(n)[:k] for _ in range(q)])
    scores = -np.sort(-rng.random((q, k)), 1).astype(np.float32)
    words = (rng.random((n, w)) < 0.4).astype(float)
    words[0] = 0
    return Hits(scores, rows), words


def reference(scores, rows, words, k):
    last = scores[k] if k < len(scores) else 0.0
    weights = [max(0.0, float(s - last)) for s in scores[:k]]
    weights = weights if sum(weights) else [1.0] * len(weights)
    p = [0.0] * words.shape[1]
    for weight, row in zip(weights, rows, strict=False):
        for t in range(words.shape[1]):
            p[t] += weight / sum(weights) * words[row, t] / max(1e-300, words[row].sum())
    return p


def test_without_a_further_hit_the_last_one_votes_too():
    hits = Hits(np.array([[0.6, 0.2]], np.float32), np.array([[1, 0]]))
    first, second = annotate(hits, keywords(np.array([0, 1])), k=2)
    assert (first.word, second.word, second.voters) == (1, 0, [0])
    assert (first.p, second.p) == (pytest.approx(0.75), pytest.approx(0.25))


@pytest.mark.parametrize("k", [1, 3, 6, 50])
def test_probabilities_are_those_of_loops(k):
    hits, words = some()
    expected = [reference(s, r, words, k) for s, r in zip(hits.scores, hits.rows, strict=True)]
    np.testing.assert_allclose(probabilities(hits, sp.csr_array(words), k=k), expected, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.booleans())
def test_probabilities_are_shares(seed, k, tied):
    hits, words = some(seed)
    hits = Hits(np.ones_like(hits.scores), hits.rows) if tied else hits
    p = probabilities(hits, sp.csr_array(words), k=k)
    assert p.min() >= 0 and (p.sum(1) <= 1 + 1e-9).all()


def test_a_word_comes_with_the_images_that_voted():
    hits = Hits(np.array([[0.9, 0.8, 0.7, 0.1]], np.float32), np.array([[3, 1, 2, 0]]))
    words = keywords(np.array([2, 1, 0, 1]))
    first, second = annotate(hits, words, k=3)
    assert (first.word, first.voters) == (1, [3, 1]) and (second.word, second.voters) == (0, [2])
    assert first.p == pytest.approx(1.5 / 2.1, abs=1e-6) and first.p + second.p == pytest.approx(1)


def test_the_query_itself_does_not_vote():
    hits = Hits(np.array([[1.0, 0.8, 0.7]], np.float32), np.array([[5, 1, 2]]))
    labels = np.array([0, 1, 1, 0, 0, 3])
    assert 3 in {each.word for each in annotate(hits, keywords(labels))}
    assert {each.word for each in annotate(hits, keywords(labels), without=np.array([5]))} == {1}
    assert annotate(Hits(hits.scores[:, :1], hits.rows[:, :1]), keywords(labels), without=np.array([5])) == []


def test_images_without_a_label_have_no_words():
    words = keywords(np.array([1, -1, 0]), 4)
    np.testing.assert_array_equal(words.toarray(), [[0, 1, 0, 0], [0, 0, 0, 0], [1, 0, 0, 0]])
    marks = np.array([[1, 1], [0, 0]], np.uint8)
    np.testing.assert_array_equal(keywords(marks).toarray(), marks)
    hits = Hits(np.ones((1, 1), np.float32), np.array([[1]]))
    assert annotate(hits, words) == []


def test_hits_of_another_database_are_refused():
    hits, words = some()
    with pytest.raises(InputError, match="one query"):
        annotate(hits, sp.csr_array(words))
    with pytest.raises(InputError, match="search their database"):
        annotate(Hits(hits.scores[:1], hits.rows[:1] + 9), sp.csr_array(words))


def test_mean_f1_of_words_by_hand():
    proposed = [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    true = [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert per_word_f1(proposed, true) == pytest.approx((2 / 4 + 1) / 2)  # the third word occurs nowhere
    assert per_word_f1(np.zeros((2, 2)), np.zeros((2, 2))) == 0
    p = np.array([[0.2, 0.5, 0.0], [0.0, 0.0, 0.3]])
    np.testing.assert_array_equal(best_words(p, 2), [[True, True, False], [False, False, True]])
