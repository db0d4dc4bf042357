"""Nearest-neighbour accuracy and float mAP against loops."""

import numpy as np
import pytest

from tests.benchmarks.backbone_quality import quality, vote


def _by_loops(queries, database, query_labels, database_labels, neighbours, k):
    correct, aps = 0, []
    for q, label in zip(queries.astype(float), query_labels, strict=True):
        cosine = [float(q @ x) / np.linalg.norm(q) / np.linalg.norm(x) for x in database.astype(float)]
        order = sorted(range(len(database)), key=lambda i: -cosine[i])[:k]
        voters = [database_labels[i] for i in order[:neighbours]]
        correct += max(voters, key=lambda c: (voters.count(c), -voters.index(c))) == label
        relevant, total = 0, 0.0
        for rank, i in enumerate(order, 1):
            if database_labels[i] == label:
                relevant += 1
                total += relevant / rank
        aps.append(total / relevant if relevant else 0.0)
    return correct / len(queries), sum(aps) / len(aps)


def test_quality_agrees_with_loops():
    rng = np.random.default_rng(0)
    labels, classes = rng.integers(0, 4, 60), rng.integers(0, 4, 15)
    centres = rng.standard_normal((4, 8))
    database = (centres[labels] + rng.standard_normal((60, 8))).astype(np.float32)
    queries = (centres[classes] + rng.standard_normal((15, 8))).astype(np.float32)
    result = quality((queries, classes), (database, labels), neighbours=5, k=20, chunk=4)
    assert result == pytest.approx(_by_loops(queries, database, classes, labels, 5, 20), abs=1e-6)


def test_a_tied_vote_goes_to_the_nearest():
    assert vote(np.array([[3, 1, 1, 3], [2, 0, 1, 0], [5, 5, 5, 5]])).tolist() == [3, 0, 5]


def test_a_ranking_shorter_than_the_vote_is_refused():
    x = np.eye(4, dtype=np.float32)
    with pytest.raises(ValueError, match="mAP@2"):
        quality((x, np.arange(4)), (x, np.arange(4)), neighbours=3, k=2)
