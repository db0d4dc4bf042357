"""Usage of codewords against loops, and properties for any codes."""

import json
import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.analysis import codebooks as cb
from transclipped.errors import InputError
from transclipped.runs.bundle import bundle
from transclipped.runs.run import RunDir


@st.composite
def coded(draw, least=0):
    """Codes [N, M] of K codewords, often with collapsed or repeated codebooks."""
    k, m = draw(st.sampled_from([2, 4, 16, 256])), draw(st.integers(1, 4))
    n = draw(st.integers(least, 60))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    codes = rng.integers(0, draw(st.integers(1, k)), (n, m)).astype(np.uint8)
    if m > 1 and draw(st.booleans()):
        codes[:, 1] = codes[:, 0]
    return codes, k


def entropy_by_hand(symbols) -> float:
    n = len(symbols)
    return -sum(c / n * math.log2(c / n) for c in Counter(symbols).values())


@given(coded())
def test_usage_equals_the_loop_and_perplexity_is_between_one_and_k(case):
    codes, k = case
    usage = cb.usage(codes, k)
    for m in range(codes.shape[1]):
        counts = Counter(codes[:, m].tolist())
        assert usage.counts[m].tolist() == [counts[word] for word in range(k)]
        assert usage.dead[m] == sum(counts[word] == 0 for word in range(k))
        assert usage.crowded[m] == sum(counts[word] > 4 * len(codes) / k for word in range(k))
        expected = 2 ** entropy_by_hand(codes[:, m].tolist()) if len(codes) else 0
        assert usage.perplexity[m] == pytest.approx(expected)
        assert 1 - 1e-9 <= usage.perplexity[m] <= k + 1e-9 if len(codes) else usage.perplexity[m] == 0


@pytest.mark.parametrize("k", [1, 2, 16, 256])
def test_even_usage_has_perplexity_k_and_one_codeword_has_one(k):
    even = np.repeat(np.arange(k), 3).astype(np.uint8)[:, None]
    assert cb.usage(even, k).perplexity[0] == pytest.approx(k)
    assert cb.usage(np.zeros((7, 1), np.uint8), k).perplexity.tolist() == [1.0]


def test_codes_beyond_the_codebook_are_refused():
    with pytest.raises(ValueError, match="below 4"):
        cb.usage(np.full((2, 1), 4, np.uint8), 4)
    with pytest.raises(ValueError, match="shape"):
        cb.usage(np.zeros(3, np.uint8), 4)


@settings(max_examples=40)
@given(coded(least=1))
def test_dependence_equals_the_loop_and_that_of_a_copy_is_the_entropy(case):
    codes, k = case
    plain = cb.dependence(codes, k).plain
    for a in range(codes.shape[1]):
        for b in range(codes.shape[1]):
            one, other = codes[:, a].tolist(), codes[:, b].tolist()
            together = entropy_by_hand(list(zip(one, other, strict=True)))
            expected = entropy_by_hand(one) + entropy_by_hand(other) - together
            assert plain[a, b] == pytest.approx(expected, abs=1e-9)
    twice = np.concatenate([codes[:, :1], codes[:, :1]], 1)
    plain = cb.dependence(twice, k).plain
    assert plain == pytest.approx(np.full((2, 2), entropy_by_hand(codes[:, 0].tolist())), abs=1e-9)


@settings(max_examples=40)
@given(coded(), st.integers(0, 99))
def test_order_of_items_changes_nothing(case, seed):
    codes, k = case
    other = np.random.default_rng(seed).permutation(codes)
    for a, b in ((cb.usage(codes, k), cb.usage(other, k)), (cb.dependence(codes, k), cb.dependence(other, k))):
        for name in vars(a):
            assert np.array_equal(getattr(a, name), getattr(b, name)), name


def test_shuffling_removes_dependence_by_chance_and_one_codebook_has_none():
    """Independent codes of 16 codewords look dependent by (16 − 1)² / (2 N ln 2) bits; Miller 1955."""
    n = 2000
    codes = np.random.default_rng(0).integers(0, 16, (n, 2)).astype(np.uint8)
    result = cb.dependence(codes, 16)
    by_chance = 15**2 / (2 * n * math.log(2))
    assert result.plain[0, 1] == pytest.approx(by_chance, rel=0.3)
    assert result.shuffled[0, 1] == pytest.approx(by_chance, rel=0.3)
    assert result.excess[0, 1] < 0.3 * by_chance
    assert result.largest("excess") == result.excess[0, 1]
    result = cb.dependence(np.zeros((5, 1), np.uint8), 256)
    assert result.largest("excess") == result.largest("plain") == 0


def test_similarity_is_the_cosine_and_zero_for_a_zero_codeword():
    words = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    words[2] = 0
    result = cb.similarity(words)
    for i, j in np.ndindex(5, 5):
        lengths = np.linalg.norm(words[i]) * np.linalg.norm(words[j])
        assert result[i, j] == pytest.approx(words[i] @ words[j] / lengths if lengths else 0, abs=1e-6)


@given(st.integers(1, 20), st.integers(0, 99))
def test_arranged_is_an_order(k, seed):
    words = np.random.default_rng(seed).normal(size=(k, 4)).astype(np.float32)
    assert sorted(cb.similarity_order(cb.similarity(words)).tolist()) == list(range(k))


def test_arranged_puts_groups_side_by_side():
    rng = np.random.default_rng(0)
    group = np.arange(20) % 2
    words = np.eye(2)[group] + 0.05 * rng.normal(size=(20, 2))
    order = group[cb.similarity_order(cb.similarity(words.astype(np.float32)))]
    assert (np.diff(order) != 0).sum() == 1


@given(coded(), st.integers(1, 9))
def test_members_have_the_codeword_up_to_the_limit(case, limit):
    codes, _ = case
    rows = cb.members(codes[:, 0], 0, limit)
    assert (codes[rows, 0] == 0).all()
    assert len(set(rows.tolist())) == len(rows) == min(limit, int((codes[:, 0] == 0).sum()))


def queries_and_codebooks(m=2, k=8, d=3, q=30):
    rng = np.random.default_rng(1)
    books = rng.normal(size=(m, k, d)).astype(np.float32)
    books /= np.linalg.norm(books, axis=-1, keepdims=True)
    queries = rng.normal(size=(q, m, d))
    queries /= np.linalg.norm(queries, axis=-1, keepdims=True)
    return queries.reshape(q, -1).astype(np.float16), books


def test_error_is_one_minus_cosine_to_the_decoded_code():
    queries, books = queries_and_codebooks()
    error = cb.quantization_error(queries, books)
    for i, query in enumerate(queries.astype(np.float64).reshape(-1, 2, 3)):
        nearest = [max(range(8), key=lambda w, m=m: query[m] @ books[m, w]) for m in range(2)]
        decoded = np.concatenate([books[m, w] for m, w in enumerate(nearest)])
        flat = query.ravel()
        cosine = flat @ decoded / np.linalg.norm(flat) / np.linalg.norm(decoded)
        assert error.whole[i] == pytest.approx(1 - cosine, abs=1e-5)
        for m, w in enumerate(nearest):
            part = query[m] @ books[m, w] / np.linalg.norm(query[m]) / np.linalg.norm(books[m, w])
            assert error.by_codebook[i, m] == pytest.approx(1 - part, abs=1e-5)


def test_queries_made_of_codewords_have_no_error():
    _, books = queries_and_codebooks()
    codes = np.random.default_rng(2).integers(0, 8, (10, 2))
    exact = books[np.arange(2), codes].reshape(10, -1)
    assert cb.quantization_error(exact, books).whole == pytest.approx(np.zeros(10), abs=1e-6)
    assert cb.quantization_error(np.zeros((0, 6), np.float16), books).whole.shape == (0,)


def test_responding_queries_are_the_most_similar_ones():
    queries, books = queries_and_codebooks()
    rows, cosines = cb.responding(queries, books, codebook=1, codeword=3, limit=5)
    every = queries.astype(np.float32).reshape(-1, 2, 3)[:, 1] @ books[1, 3]
    assert set(rows.tolist()) == set(np.argsort(-every)[:5].tolist())
    assert (np.diff(cosines) <= 0).all()


@settings(max_examples=40)
@given(coded(), st.integers(0, 99), st.booleans())
def test_class_counts_equal_the_loop(case, seed, several):
    codes, k = case
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, (len(codes), 3)) if several else rng.integers(-1, 3, len(codes))
    table = cb.class_counts(codes[:, 0], labels, k=k, classes=3)
    expected = np.zeros((k, 3), int)
    for word, label in zip(codes[:, 0].tolist(), labels, strict=True):
        for c in np.flatnonzero(label) if several else [label] * int(label >= 0):
            expected[word, c] += 1
    assert np.array_equal(table, expected)
    purity = cb.purity(table)
    assert (purity is None) == (expected.sum() == 0)
    assert purity is None or 0 < purity <= 1


def test_class_information_of_equal_random_and_unlabelled_codes():
    labels = np.repeat(np.arange(4), 500)
    equal = cb.class_counts(labels.astype(np.uint8), labels, k=256, classes=4)
    assert cb.class_information(equal) == pytest.approx(2, abs=0.01)
    assert cb.purity(equal) == 1
    random = cb.class_counts(np.random.default_rng(0).integers(0, 256, 2000).astype(np.uint8), labels, k=256, classes=4)
    assert cb.class_information(random) < 0.02
    table = cb.class_counts(np.zeros(3, np.uint8), np.full(3, -1), k=4, classes=0)
    assert table.shape == (4, 0)
    assert cb.purity(table) is None and cb.class_information(table) == 0


def test_last_epoch_encodes_as_the_run_does(tiny_run):
    """The tiny run stores its last epoch, and 200 images are fewer than the sample."""
    run = RunDir(tiny_run)
    history = cb.by_epoch(run)
    assert history.epoch.tolist() == [1, 2] and history.n == 200
    final = cb.usage(run.retrieval().codes, 256)
    assert history.perplexity[-1] == pytest.approx(final.perplexity, rel=0.02)  # heads of epochs are float16


def test_a_bundled_run_with_only_its_first_epoch_has_its_last_too(tiny_run, tmp_path):
    small = bundle(RunDir(tiny_run), tmp_path / "small", epochs=1)
    assert small.epochs() == [1]
    history, whole = cb.by_epoch(small), cb.by_epoch(RunDir(tiny_run))
    assert history.epoch.tolist() == [1, 2]
    np.testing.assert_allclose(history.perplexity, whole.perplexity, rtol=0.02)
    metrics = json.loads((small.path / "metrics.json").read_text())
    (small.path / "metrics.json").write_text(json.dumps(metrics | {"selection": "validation"}))
    assert cb.by_epoch(small).epoch.tolist() == [1]  # the epoch of the run's head is unknown


def test_without_heads_of_epochs_it_is_refused(tmp_path, tiny_run):
    (tmp_path / "config.json").write_bytes((tiny_run / "config.json").read_bytes())
    with pytest.raises(InputError, match="no heads"):
        cb.by_epoch(RunDir(tmp_path))
