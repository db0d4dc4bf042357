"""Why a hashed hit is one: bits, trees and questions against loops on planted vectors."""

from collections import Counter

import numpy as np
import pytest

from transclipped.analysis import hashes
from transclipped.features.labset import LabSet
from transclipped.retrieval.coding.trees import leaves


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


@pytest.mark.parametrize("name", ["udh", "strp"])
def test_scores_of_bits_follow_from_the_bits_that_agree(lab, name):
    code = hashes.hashed(name, lab)
    scores, rows = code.hits(3, 20)
    own, items = hashes.bits(code.queries[3:4], code.state)[0], hashes.bits(code.items, code.state)
    every = [sum(a == b for a, b in zip(own, item, strict=True)) for item in items]
    assert rows.tolist() == sorted(range(600), key=lambda row: (-every[row], row))[:20]
    np.testing.assert_allclose(scores, [2 * every[row] / 32 - 1 for row in rows], atol=1e-6)
    assert (lab.labels[rows] == lab.query_labels[3]).all()


def test_questions_lead_to_the_leaf_that_the_code_stores(trees):
    reached, asked = leaves(trees.items, trees.state), leaves(trees.queries, trees.state)
    for tree, query, row in ((0, 0, 7), (5, 3, 599), (99, 11, 0)):
        questions, leaf = hashes.questions(trees, tree, query, row)
        way = "".join(str(int(question.query)) for question in questions)
        assert int(way, 2) == asked[query, tree]
        assert sorted(leaf.tolist()) == [i for i in range(600) if reached[i, tree] == asked[query, tree]]
        item = [question.item for question in questions]
        parted = next((i for i in range(6) if f"{reached[row, tree]:06b}"[i] != way[i]), 6)
        assert item[:parted] == [question.query for question in questions][:parted]
        assert item[parted + 1 :] == [None] * (5 - parted if parted < 6 else 0)
        assert questions[0].members == 600 and len(leaf) < questions[-1].members


def test_extremes_are_the_smallest_and_largest_projections(trees):
    questions, _ = hashes.questions(trees, 2, 0, 0)
    state = trees.state
    values = (trees.items - state["mean"]) @ state["matrix"][:, state["direction"][2, 0]]
    assert values[questions[0].low].tolist() == sorted(values.tolist())[:4]
    assert values[questions[0].high].tolist() == sorted(values.tolist(), reverse=True)[:4]


def test_trees_that_agree_are_counted_like_leaves(trees):
    both = leaves(np.stack([trees.queries[1], trees.items[100]]), trees.state)
    assert hashes.trees_agree(trees, 1, 100).tolist() == [a == b for a, b in zip(*both.tolist(), strict=True)]


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
