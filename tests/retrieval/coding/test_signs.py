"""Codes of signs as product codes of fixed codewords."""

import numpy as np
import pytest

from transclipped.retrieval.coding.signs import BYTE, sign_index


def test_the_codewords_of_a_byte_are_its_bits():
    assert BYTE.shape == (256, 8)
    assert BYTE[0b1010_0001].tolist() == [1, -1, 1, -1, -1, -1, -1, 1]


def test_items_decode_to_their_signs_over_the_number_of_bits():
    x = np.random.default_rng(0).normal(size=(40, 24)).astype(np.float32)
    x[3, 5] = 0
    index = sign_index(x, lambda vectors: vectors)
    expected = [[(1 if v >= 0 else -1) / 24 for v in row] for row in x.tolist()]
    np.testing.assert_allclose(index.decoded(), expected, rtol=1e-6)
    assert index.bytes_per_item == 3 and index.search(index.embed(x), 1).scores.ravel().tolist() == [1] * 40


@pytest.mark.parametrize("bits", [8, 24, 40, 56])
def test_items_at_the_same_distance_tie_exactly_and_come_by_row(bits):
    x = np.random.default_rng(0).normal(size=(500, bits)).astype(np.float32)
    index = sign_index(x, lambda vectors: vectors)
    hits = index.search(index.embed(x[:4]), 300)
    for query, rows, scores in zip(x, hits.rows.tolist(), hits.scores.tolist(), strict=False):
        distance = [sum((a >= 0) != (b >= 0) for a, b in zip(query, item, strict=True)) for item in x]
        assert rows == sorted(range(500), key=lambda row: (distance[row], row))[:300]
        assert len({*scores}) == len({distance[row] for row in rows})
