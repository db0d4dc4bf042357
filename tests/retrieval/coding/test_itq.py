"""ITQ against its own objective and against faiss's transform."""

import faiss
import numpy as np

from transclipped.retrieval.coding.itq import fit, itq


def correlated(n, d=12, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 1).astype(np.float32)


def test_bits_are_the_signs_of_the_projection():
    x = correlated(200)
    state = fit(x, bits=8)

    def sign(row, column):
        return 1 if sum((a - m) * w for a, m, w in zip(row, state["mean"], column, strict=True)) >= 0 else -1

    expected = [[sign(row, column) for column in state["matrix"].T] for row in x[:20].astype(float)]
    index = itq(x, state, bits=8)
    np.testing.assert_array_equal(index.embed(x[:20]), expected)
    np.testing.assert_array_equal(index.decoded()[:20] * 8, expected)


def test_the_rotation_brings_vectors_closer_to_corners_than_principal_axes_do():
    x = correlated(2000)
    state = fit(x, bits=8)
    projected = (x - state["mean"]) @ state["matrix"]
    np.testing.assert_allclose(state["matrix"].T @ state["matrix"], np.eye(8), atol=1e-4)
    axes = faiss.PCAMatrix(12, 8)
    axes.train(x)

    def loss(y):
        y = y / np.sqrt((y**2).mean())
        return ((np.sign(y) - y) ** 2).sum(1).mean()

    assert loss(projected) < 0.9 * loss(axes.apply(x))


def test_scores_count_equal_bits():
    x = correlated(60)
    index = itq(x, fit(x, bits=8), bits=8)
    queries = index.embed(x[:5])
    hits = index.search(queries, 60)
    for query, scores, rows in zip(queries, hits.scores, hits.rows, strict=True):
        different = [(query != index.embed(x[row : row + 1])[0]).sum() for row in rows]
        np.testing.assert_allclose(scores, 1 - 2 * np.array(different) / 8, atol=1e-6)
