"""Measuring hits after re-ranking, against loops straight from the definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.retrieval.index import FlatIndex, Hits
from transclipped.retrieval.metrics import measure, measure_hits


def related(a, b):
    return bool((a & b).any()) if np.ndim(a) else bool(a == b and a != -1)


def reference(rows, query_labels, database_labels, k):
    """AP@K, AP@K over min(K, R), precision and recall at each rank, in loops."""
    ap, ap_r = [], []
    precision, recall = np.zeros(k), np.zeros(k)
    for ranking, label in zip(rows, query_labels, strict=True):
        total = sum(related(label, other) for other in database_labels)
        right, area = 0, 0.0
        for rank in range(1, k + 1):
            if related(label, database_labels[ranking[rank - 1]]):
                right += 1
                area += right / rank
            precision[rank - 1] += right / rank / len(rows)
            recall[rank - 1] += (right / total if total else 0) / len(rows)
        ap.append(area / right if right else 0.0)
        ap_r.append(area / min(k, total) if total else 0.0)
    return np.array(ap), np.array(ap_r), precision, recall


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 12), st.integers(1, 15), st.booleans())
@settings(max_examples=80, deadline=None)
def test_values_equal_the_definitions(seed, q, n, k, multi):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(n) for _ in range(q)])
    shape = (3,) if multi else ()
    low, high = (0, 2) if multi else (-1, 3)
    query, database = (rng.integers(low, high, (size, *shape)).astype(np.int64) for size in (q, n))
    measured = measure_hits(Hits(np.zeros(rows.shape, np.float32), rows), query, database, k=k)
    ap, ap_r, precision, recall = reference(rows, query, database, min(k, n))
    np.testing.assert_allclose(measured.average_precision, ap, atol=1e-12)
    np.testing.assert_allclose(measured.average_precision_r, ap_r, atol=1e-12)
    np.testing.assert_allclose(measured.precision, precision, atol=1e-12)
    np.testing.assert_allclose(measured.recall, recall, atol=1e-12)
    assert measured.map_r <= measured.map + 1e-12 and measured.map == pytest.approx(ap.mean())


def test_the_two_values_can_disagree():
    """Re-ranking that brings three more relevant items in at low ranks lowers one value and raises the other."""
    labels = np.array([1] * 4 + [0] * 6)
    before = Hits(np.zeros((1, 6), np.float32), np.array([[0, 4, 5, 6, 7, 8]]))
    after = Hits(np.zeros((1, 6), np.float32), np.array([[0, 4, 5, 1, 2, 3]]))
    first, second = (measure_hits(hits, np.array([1]), labels, k=6) for hits in (before, after))
    assert second.map < first.map == 1 and second.map_r > first.map_r == 0.25


def test_hits_of_an_index_measure_as_the_index():
    rng = np.random.default_rng(0)
    index = FlatIndex(rng.normal(size=(90, 8)).astype(np.float32), codebooks=1)
    queries = rng.normal(size=(20, 8)).astype(np.float32)
    query, database = rng.integers(0, 4, 20), rng.integers(0, 4, 90)
    by_index = measure(index, queries, query_labels=query, database_labels=database, k=30, curve=False)
    by_hits = measure_hits(index.search(queries, 30), query, database, k=30)
    for name in ("average_precision", "precision", "recall"):
        np.testing.assert_allclose(getattr(by_hits, name), getattr(by_index, name), atol=1e-12)


def test_groups_of_queries_do_not_change_the_result(monkeypatch):
    from transclipped.retrieval import metrics

    rng = np.random.default_rng(0)
    rows = np.stack([rng.permutation(20) for _ in range(11)])
    arguments = Hits(np.zeros(rows.shape, np.float32), rows), rng.integers(0, 3, 11), rng.integers(0, 3, 20)
    whole = measure_hits(*arguments, k=10)
    monkeypatch.setattr(metrics, "HITS", 25)
    parts = measure_hits(*arguments, k=10)
    np.testing.assert_allclose(parts.recall, whole.recall)
    np.testing.assert_array_equal(parts.average_precision_r, whole.average_precision_r)


def test_empty_and_wrong_input():
    none = Hits(np.zeros((0, 5), np.float32), np.zeros((0, 5), np.int64))
    assert measure_hits(none, np.zeros(0, np.int64), np.zeros(5, np.int64), k=3).map_r == 0
    empty = Hits(np.zeros((2, 0), np.float32), np.zeros((2, 0), np.int64))
    assert measure_hits(empty, np.zeros(2, np.int64), np.zeros(0, np.int64), k=3).map == 0
    with pytest.raises(ValueError):
        measure_hits(none, np.zeros(1, np.int64), np.zeros(5, np.int64), k=3)
    with pytest.raises(ValueError):
        measure_hits(empty, np.zeros(2, np.int64), np.zeros(0, np.int64), k=0)
