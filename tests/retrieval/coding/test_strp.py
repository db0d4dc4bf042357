"""Chosen random bits: pairs and greedy choice against brute force, and what the bits are good for."""

import numpy as np
import pytest

from transclipped.retrieval.coding.lsh import lsh
from transclipped.retrieval.coding.strp import chosen, fit, greedy, important, mutual, strp
from transclipped.retrieval.vectors import unit


def test_the_greedy_choice_equals_brute_force_on_12_neurons():
    rng = np.random.default_rng(0)
    gain, active = rng.random(12) / 2, rng.normal(size=(50, 12)) + rng.normal(size=(50, 1)) > 0
    correlation = np.abs(np.corrcoef(active.T))
    expected = []
    while len(expected) < 6:
        rest = [j for j in range(12) if j not in expected]
        expected.append(max(rest, key=lambda j: gain[j] - max([abs(correlation[j, i]) for i in expected], default=0)))
    assert greedy(gain, correlation, 6).tolist() == expected
    assert sorted(greedy(gain, correlation, 99)) == list(range(12))
    similar = rng.random((30, 12)) < 0.5 + gain
    other = rng.random((30, 12)) < 0.5
    by_hand = greedy(similar.mean(0) - other.mean(0), correlation, 12)
    assert chosen([similar, other], active).tolist() == by_hand.tolist()


def test_pairs_are_mutual_neighbours_each_once():
    y = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    cosine = unit(y).astype(float) @ unit(y).T.astype(float)
    near = [set(sorted((j for j in range(40) if j != i), key=lambda j: -cosine[i, j])[:10]) for i in range(40)]
    expected = {(i, j) for i in range(40) for j in range(i) if j in near[i] and i in near[j]}
    pairs = [(max(pair), min(pair)) for pair in mutual(y, np.random.default_rng(1)).tolist()]
    assert set(pairs) == expected and len(pairs) == len(expected)


def test_the_neuron_that_tells_pairs_apart_is_the_most_important():
    rng = np.random.default_rng(0)
    similar, other = rng.random((300, 9)) < 0.5, rng.random((300, 9)) < 0.5
    similar[:, 4], other[:, 4] = True, False
    assert important([similar, other])[0] == 4


def test_chosen_bits_find_neighbours_better_than_random_ones():
    """Groups differ on a few axes; the others are noise, which random bits see as well."""
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(30, 8)), 20, axis=0)
    x = np.concatenate([centres + 0.3 * rng.normal(size=(600, 8)), 0.5 * rng.normal(size=(600, 40)) + 1], 1)
    x, labels = x.astype(np.float32), np.repeat(np.arange(30), 20)
    share = []
    for index in (strp(x, fit(x)), lsh(x)):
        rows = index.search(index.embed(x), 11).rows[:, 1:]
        share.append((labels[rows] == labels[:, None]).mean())
    assert share[0] > share[1] + 0.1


@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_few_vectors_are_coded_by_the_first_neurons(n):
    x = np.random.default_rng(0).normal(size=(n, 9)).astype(np.float32)
    assert fit(x)["matrix"].shape == (9, 32)
