"""Product quantization of plain vectors: nearest codewords by loops, exact codes of few vectors."""

import numpy as np
import pytest

from transclipped.retrieval.coding.pq import encode, fit, pq


def some(n, d=10, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def test_a_code_names_the_nearest_codeword_not_the_one_of_largest_product():
    books = np.array([[[1, 0], [5, 0], [0, 0]]], np.float32)
    assert encode(books, np.array([[1.2, 0], [4, 1], [0.4, 3]], np.float32)).tolist() == [[0], [1], [2]]
    books, x = some(4 * 16, 3).reshape(4, 16, 3), some(30, 12)
    for code, vector in zip(encode(books, x).tolist(), x.astype(float), strict=True):
        for m, k in enumerate(code):
            distance = [sum((vector[3 * m + d] - float(word[d])) ** 2 for d in range(3)) for word in books[m]]
            assert k == distance.index(min(distance))


@pytest.mark.parametrize("n", [1, 3, 100, 256])
def test_up_to_256_training_vectors_are_coded_without_loss(n):
    x = some(n)
    state = fit(x, bits=32)
    assert state["codebooks"].shape == (4, n, 3)  # 10 numbers are padded to 12
    np.testing.assert_allclose(pq(x, state, bits=32).decoded()[:, :10], x, atol=1e-5)


def test_more_bytes_decode_better_and_centres_are_means_of_their_vectors():
    x = some(2000)
    errors = []
    for bits in (8, 16, 40):
        state = fit(x, bits=bits)
        index = pq(x, state, bits=bits)
        decoded = index.decoded()[:, :10]
        errors.append(((decoded - x) ** 2).sum(1).mean())
    assert errors[0] > 1.3 * errors[1] > 1.3**2 * errors[2]
    codes = encode(state["codebooks"], x)
    usual = np.bincount(codes[:, 0]).argmax()
    np.testing.assert_allclose(x[codes[:, 0] == usual, :2].mean(0), state["codebooks"][0, usual], atol=0.05)


def test_many_equal_vectors_share_few_codewords():
    x = np.repeat(some(3), 200, axis=0)
    np.testing.assert_allclose(pq(x, fit(x)).decoded()[:, :10], x, atol=1e-5)
