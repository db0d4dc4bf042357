"""UDH: each closed form against its definition, the objective, and recovery of planted clusters."""

import numpy as np
import pytest

from transclipped.retrieval.coding.udh import NU, RIDGE, fit, learned, objective, predictor, projector, swept, udh


def some(n=20, d=6, bits=8, classes=3, seed=0):
    """Vectors, one-hot classes and codes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d))
    return x - x.mean(0), np.eye(classes)[rng.integers(classes, size=n)], rng.choice([-1.0, 1.0], size=(n, bits))


def test_closed_forms_equal_their_definitions():
    x, y, codes = some()
    stacked = np.linalg.lstsq(np.vstack([codes, np.eye(8)]), np.vstack([y, np.zeros((8, 3))]), rcond=None)[0]
    np.testing.assert_allclose(predictor(codes, y), stacked, atol=1e-10)
    ridge = np.sqrt(RIDGE * (x**2).sum() / 6)
    stacked = np.linalg.lstsq(np.vstack([x, ridge * np.eye(6)]), np.vstack([codes, np.zeros((6, 8))]), rcond=None)[0]
    np.testing.assert_allclose(projector(x) @ codes, stacked, atol=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_each_bit_is_the_better_of_two_and_the_objective_never_rises(seed):
    x, y, codes = some(seed=seed)
    weights, matrix = predictor(codes, y), projector(x) @ codes
    before = objective(x, y, codes, weights, matrix)
    after = swept(codes, y, weights, x @ matrix)
    assert objective(x, y, after, weights, matrix) <= before + 1e-9
    for row in range(20):  # the last bit was set given all the others
        other = after.copy()
        other[row, -1] *= -1
        assert objective(x, y, after, weights, matrix) <= objective(x, y, other, weights, matrix) + 1e-9
    assert objective(x, y, after, predictor(after, y), matrix) <= objective(x, y, after, weights, matrix) + 1e-9


def test_the_objective_equals_loops():
    x, y, codes = some()
    weights, matrix = predictor(codes, y), projector(x) @ codes
    total = sum(w * w for row in weights.tolist() for w in row)
    for xs, ys, bs in zip(x, y, codes, strict=True):
        total += sum((ys[k] - sum(bs[b] * weights[b, k] for b in range(8))) ** 2 for k in range(3))
        total += NU * sum((bs[b] - sum(xs[d] * matrix[d, b] for d in range(6))) ** 2 for b in range(8))
    assert objective(x, y, codes, weights, matrix) == pytest.approx(total)


def test_codes_come_to_predict_the_classes():
    x, y, codes = some(n=200, d=16)
    classes = y.argmax(1)
    learned_codes, _ = learned(x, classes, codes)
    for given, atleast in ((codes, 0), (learned_codes, 0.9)):
        predicted = (given @ predictor(given, y)).argmax(1)
        accuracy = (predicted == classes).mean()
        assert accuracy >= atleast
    assert accuracy > ((codes @ predictor(codes, y)).argmax(1) == classes).mean()


@pytest.mark.parametrize("clusters", [1, 30, 4096])
def test_one_cluster_and_as_many_as_vectors_are_no_trouble(clusters):
    x = np.random.default_rng(0).normal(size=(30, 12)).astype(np.float32)
    index = udh(x, fit(x, bits=16, clusters=clusters), bits=16)
    assert np.isfinite(index.search(index.embed(x), 5).scores).all()


@pytest.mark.parametrize("seed", range(3))
def test_bits_of_few_wide_vectors_hold_for_vectors_outside(seed):
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(5, 300))
    items, others = (centres[np.arange(150) % 5] + 1.5 * rng.normal(size=(150, 300)) for _ in range(2))
    state = fit(items.astype(np.float32), bits=16, clusters=5)
    inside, outside = (((x - state["mean"]) @ state["matrix"] >= 0).reshape(30, 5, 16) for x in (items, others))
    usual = inside.mean(0).round()  # bits of each planted cluster
    assert (outside == usual).mean() > (inside == usual).mean() - 0.04  # 0.08 less where P only recalls B
