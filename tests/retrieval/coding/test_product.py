"""Product codes against loops in float64."""

import numpy as np
import pytest

from transclipped.retrieval.coding.product import decode, encode, picked, scores, tables


def random_codes(n=50, m=4, k=16, d=8, seed=0):
    """Codebooks `[M, K, d]` of unit codewords, codes `[N, M]`, and a query `[D]`."""
    rng = np.random.default_rng(seed)
    codebooks = rng.normal(size=(m, k, d)).astype(np.float32)
    codebooks /= np.linalg.norm(codebooks, axis=-1, keepdims=True)
    return codebooks, rng.integers(k, size=(n, m)).astype(np.uint8), rng.normal(size=m * d).astype(np.float32)


def test_vectors_made_of_codewords_are_decoded_exactly_even_none():
    codebooks, codes, _ = random_codes(k=64)
    np.testing.assert_array_equal(encode(codebooks, decode(codebooks, codes)), codes)
    codebooks, codes, _ = random_codes()
    assert encode(codebooks, np.zeros((0, 32), np.float32)).shape == (0, 4)
    assert decode(codebooks, codes[:0]).shape == (0, 32)


def test_a_code_names_the_codeword_of_the_largest_inner_product():
    codebooks, _, query = random_codes()
    words = [max(range(16), key=lambda k: float(query[8 * m : 8 * m + 8] @ codebooks[m, k])) for m in range(4)]
    code = encode(codebooks, query)
    assert code.tolist() == words and code.dtype == np.uint8
    np.testing.assert_array_equal(encode(codebooks, query[None]), code[None])
    expected = np.concatenate([codebooks[m, word] for m, word in enumerate(words)])
    np.testing.assert_array_equal(decode(codebooks, code), expected)


@pytest.mark.parametrize("m", [1, 4])
def test_scores_are_sums_of_look_ups(m):
    codebooks, codes, query = random_codes(m=m)
    table = tables(codebooks, query)
    expected = [
        sum(query[8 * i : 8 * i + 8].astype(float) @ codebooks[i, word] for i, word in enumerate(code)) / m
        for code in codes.tolist()
    ]
    np.testing.assert_allclose(scores(table, codes), expected, atol=1e-6)
    np.testing.assert_allclose(picked(table, codes).sum(1), expected, atol=1e-6)
    np.testing.assert_array_equal(tables(codebooks, query[None])[0], table)
