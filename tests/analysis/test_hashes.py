"""Codes of the lab set, and the questions of trees, against loops on planted vectors."""

from collections import Counter

import numpy as np
import pytest

from transclipped.analysis import hashes
from transclipped.analysis.reasons import why
from transclipped.features.labset import LabSet
from transclipped.retrieval.coding.trees import leaves
from transclipped.retrieval.vectors import unit


@pytest.fixture(scope="module")
def lab():
    """Six planted clusters of a hundred items, in 8 bits."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(6, 16))
    labels, query_labels = np.repeat(np.arange(6), 100), np.arange(12) % 6

    def near(of):
        return np.clip(centres[of] * 30 + rng.normal(size=(len(of), 16)) * 5, -127, 127).astype(np.int8)

    items, queries = near(labels), near(query_labels)
    ones, about = np.ones, {"class_names": [str(i) for i in range(6)]}
    rows, query_rows = np.arange(600), np.arange(12)
    return LabSet(
        items[None],
        ones((1, 600), np.float16),
        queries,
        ones(12, np.float16),
        rows,
        query_rows,
        labels,
        query_labels,
        about,
    )


@pytest.fixture(scope="module")
def trees(lab):
    return hashes.hashed("trees", lab)


@pytest.mark.parametrize("name", ["udh", "strp", "trees"])
def test_hits_are_of_the_query_class_and_in_the_order_of_what_they_share(lab, name):
    code = hashes.hashed(name, lab)
    query = unit(lab.query_features)[3]
    scores, rows = code.hits(query, 20)
    every = [why(name, code.index, query, row, code.options).score for row in range(600)]
    assert rows.tolist() == sorted(range(600), key=lambda row: (-round(every[row], 9), row))[:20]
    np.testing.assert_allclose(scores, [every[row] for row in rows], atol=1e-6)
    assert (lab.labels[rows] == lab.query_labels[3]).all()


def test_questions_lead_to_the_leaf_that_the_code_stores(trees):
    reached = leaves(trees.items, trees.state)
    for tree, leaf in ((0, 7), (5, 63), (99, 0)):
        way = f"{leaf:06b}"
        questions, rows = hashes.questions(trees.state, trees.items, tree, np.array([side == "1" for side in way]))
        assert sorted(rows.tolist()) == [i for i in range(600) if reached[i, tree] == leaf]
        for number, question in enumerate(questions):
            assert question.members == sum(f"{one:06b}".startswith(way[:number]) for one in reached[:, tree])
        assert len(questions) == 6 and questions[0].members == 600


def test_extremes_are_the_smallest_and_largest_projections(trees):
    state, low, high = trees.state, np.zeros(6, bool), np.ones(6, bool)
    for answers in (low, high):
        question = hashes.questions(state, trees.items, 2, answers)[0][1]
        node = 1 + int(answers[0])
        first = (trees.items - state["mean"]) @ state["matrix"][:, state["direction"][2, 0]]
        values = (trees.items - state["mean"]) @ state["matrix"][:, state["direction"][2, node]]
        side = (first > state["threshold"][2, 0]) == answers[0]
        assert values[question.low].tolist() == pytest.approx(sorted(values[side].tolist())[:4], abs=1e-5)
        assert values[question.high].tolist() == pytest.approx(sorted(values[side].tolist())[:-5:-1], abs=1e-5)


def test_trees_of_depth_0_ask_nothing_and_reach_all_items(lab):
    code = hashes.fit_code("trees", unit(lab.features[0]), trees=2, depth=0)
    questions, rows = hashes.questions(code.state, code.items, 1, np.zeros(0, bool))
    assert questions == [] and rows.tolist() == list(range(600))


def test_purities_are_shares_of_the_most_frequent_label():
    classes, labels = np.array([7, 7, 7, 2, 2, 5]), np.array([1, 1, 0, 3, 3, 0])
    names, sizes, purity = hashes.purities(classes, labels)
    for name, size, share in zip(names, sizes, purity, strict=True):
        counts = Counter(labels[classes == name].tolist())
        assert size == sum(counts.values()) and share == pytest.approx(max(counts.values()) / size)
    assert sizes.tolist() == [3, 2, 1]


def test_pseudo_classes_of_planted_clusters_are_pure(lab):
    classes = hashes.pseudo_classes(hashes.hashed("udh", lab))
    _, sizes, purity = hashes.purities(classes, lab.labels)
    assert len(classes) == sizes.sum() == 600 and (sizes * purity).sum() / 600 > 0.9
