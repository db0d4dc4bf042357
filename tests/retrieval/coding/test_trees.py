"""Trees: leaves by walking down, scores by counting, and the ends of depth."""

from collections import Counter

import numpy as np
import pytest

from transclipped.retrieval.coding.trees import bagged, fit, leaves


def some(n=80, d=6, seed=0):
    return (np.random.default_rng(seed).normal(size=(n, d)) * np.linspace(2, 0.5, d) + 1).astype(np.float32)


def test_leaves_equal_a_walk_down_each_tree():
    x = some()
    state = fit(x, trees=5, depth=3)
    projected = (x - state["mean"]) @ state["matrix"]
    for row, reached in zip(projected, leaves(x, state), strict=True):
        for direction, threshold, leaf in zip(state["direction"], state["threshold"], reached, strict=True):
            node = 0
            for _ in range(3):
                node = 2 * node + (2 if row[direction[node]] > threshold[node] else 1)
            assert leaf == node - 7


def test_scores_are_shares_of_trees_and_ties_come_by_row():
    x, queries = some(), some(4, seed=1)
    state = fit(x, trees=7, depth=3)
    index = bagged(x, state, trees=7, depth=3)
    hits = index.search(index.embed(queries), 80)
    items = leaves(x, state).tolist()
    for reached, scores, rows in zip(leaves(queries, state).tolist(), hits.scores, hits.rows.tolist(), strict=True):
        equal = [sum(a == b for a, b in zip(reached, item, strict=True)) for item in items]
        assert rows == sorted(range(80), key=lambda row: (-equal[row], row))
        np.testing.assert_allclose(scores, sorted(np.array(equal) / 7, reverse=True), rtol=1e-6)
    assert index.bytes_per_item == 7


def test_scores_of_paths_are_shares_of_questions_answered_alike():
    x, queries = some(), some(4, seed=1)
    state = fit(x, trees=7, depth=3)
    index = bagged(x, state, trees=7, depth=3, score="path")
    hits = index.search(index.embed(queries), 80)
    items = leaves(x, state).tolist()
    for reached, scores, rows in zip(leaves(queries, state).tolist(), hits.scores, hits.rows.tolist(), strict=True):
        alike = []
        for item in items:
            ways = [(f"{a:03b}", f"{b:03b}") for a, b in zip(reached, item, strict=True)]
            alike.append(sum(next((i for i in range(3) if a[i] != b[i]), 3) for a, b in ways))
        assert rows == sorted(range(80), key=lambda row: (-alike[row], row))
        np.testing.assert_allclose(scores, sorted(np.array(alike) / 21, reverse=True), rtol=1e-6)
    itself = index.search(index.embed(x), 1).scores
    np.testing.assert_allclose(itself, 1, rtol=1e-6)
    assert index.bytes_per_item == 7


@pytest.mark.parametrize("score", ["leaf", "path"])
def test_trees_of_no_depth_score_everything_one(score):
    x = some()
    index = bagged(x, fit(x, trees=3, depth=0), trees=3, depth=0, score=score)
    assert (index.search(index.embed(x), 80).scores == 1).all()


@pytest.mark.parametrize("depth", [1, 8])
def test_training_vectors_spread_evenly_over_the_leaves(depth):
    x = some(2000)
    reached = leaves(x, fit(x, trees=4, depth=depth))
    for tree in reached.T.tolist():
        count = Counter(tree)
        assert len(count) == 2**depth
        assert max(count.values()) < 5 * 2000 / 2**depth


def test_trees_differ():
    x = some()
    state = fit(x, trees=20, depth=4)
    assert len({tuple(tree) for tree in leaves(x, state).T.tolist()}) == 20
