"""Metrics against loops, hand-worked examples and every order of the ties."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transclipped.retrieval import metrics
from transclipped.retrieval.index import FlatIndex, PQIndex
from transclipped.retrieval.metrics import average_precision, mean_average_precision, measure
from transclipped.retrieval.metrics import tie_aware_average_precision as tie_aware


def loop_average_precision(relevant, k):
    hits, total = 0, 0.0
    for rank, is_relevant in enumerate(relevant[:k], start=1):
        if is_relevant:
            hits += 1
            total += hits / rank
    return total / hits if hits else 0.0


def permuted_tie_aware(relevant, scores, k):
    """Mean over all orders of each tied group: of the sum of precisions, and of the relevant items within K."""
    groups = [np.flatnonzero(scores == s) for s in dict.fromkeys(scores.tolist())]
    orders = [[]]
    for group in groups:
        orders = [order + list(p) for order in orders for p in permutations(group)]
    total = n = 0.0
    for order in orders:
        hits = 0
        for rank, i in enumerate(order[:k], start=1):
            if relevant[i]:
                hits += 1
                total += hits / rank
        n += hits
    return total / n if n else 0.0


def test_hand_worked_average_precision_with_and_without_tie():
    relevant = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
    ap, counts = average_precision(relevant)
    # (1/1 + 2/3) / 2; nothing relevant; (1/2 + 2/3 + 3/4) / 3
    np.testing.assert_allclose(ap, [5 / 6, 0, 23 / 36])
    np.testing.assert_array_equal(counts[0], [1, 1, 2, 2])
    ap = tie_aware(np.array([[True, False]]), np.array([[0.5, 0.5]], np.float32), 2)
    np.testing.assert_allclose(ap, [0.75])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), min_size=1, max_size=7), st.integers(1, 7))
@settings(max_examples=150, deadline=None)
def test_tie_aware_equals_the_mean_over_all_orders(items, k):
    items = sorted(items, key=lambda item: -item[1])
    relevant = np.array([[hit for hit, _ in items]], bool)
    scores = np.array([[score for _, score in items]], np.float32)
    k = min(k, len(items))
    got = tie_aware(relevant, scores, k)[0]
    assert got == pytest.approx(permuted_tie_aware(relevant[0], scores[0], k), abs=1e-12)


@given(st.lists(st.booleans(), min_size=1, max_size=30), st.integers(1, 30))
def test_average_precision_equals_the_loop_and_is_blind_past_k(relevant, k):
    ap, _ = average_precision(np.array([relevant[:k]], bool))
    assert ap[0] == pytest.approx(loop_average_precision(relevant, k))
    assert 0 <= ap[0] <= 1


def random_index(*, q=9, n=200, m=2, k=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    codebooks = rng.normal(size=(m, k, 4)).astype(np.float32)
    codebooks /= np.linalg.norm(codebooks, axis=-1, keepdims=True)
    codes = rng.integers(k, size=(n, m)).astype(np.uint8)
    queries = rng.normal(size=(q, m * 4)).astype(np.float32)
    return PQIndex(codebooks, codes), queries, rng.integers(classes, size=q), rng.integers(classes, size=n)


@pytest.mark.parametrize("k", [1, 10, 50, 200, 1000])
def test_everything_equals_loops_over_a_full_sort(k):
    index, queries, query_labels, labels = random_index()
    labelled = {"query_labels": query_labels, "database_labels": labels, "class_names": ("a", "b", "c")}
    result = measure(index, queries, k=k, **labelled)
    order = index.search(queries, 200).rows
    k = min(k, 200)
    truth = [[labels[r] == label for r in row] for row, label in zip(order, query_labels, strict=True)]
    np.testing.assert_allclose(result.average_precision, [loop_average_precision(t, k) for t in truth])
    np.testing.assert_allclose(result.precision[k - 1], np.mean([sum(t[:k]) / k for t in truth]))
    np.testing.assert_allclose(result.recall[k - 1], np.mean([sum(t[:k]) / sum(t) for t in truth]))
    for c, name in enumerate("abc"):
        assert result.per_class[name] == pytest.approx(result.average_precision[query_labels == c].mean())
    assert set(result.to_dict()) == {"map", "map_tie_aware", "precision", "recall", "per_class", "precision_recall"}


def test_tie_aware_differs_from_plain_only_where_there_are_ties():
    index, queries, query_labels, labels = random_index()
    tied = measure(index, queries, query_labels=query_labels, database_labels=labels, k=20)
    assert tied.map_tie_aware != pytest.approx(tied.map, abs=1e-6)
    items = np.random.default_rng(1).normal(size=(200, 8)).astype(np.float32)
    untied = measure(FlatIndex(items, codebooks=2), queries, query_labels=query_labels, database_labels=labels, k=20)
    assert untied.map_tie_aware == pytest.approx(untied.map, abs=1e-12)


def test_plain_value_is_independent_of_the_order_of_ties_in_faiss():
    index, queries, query_labels, labels = random_index(n=400, k=2)  # four codes, a hundred items each
    scores = queries @ index.decoded().T
    for k in (1, 50, 150):
        result = measure(index, queries, query_labels=query_labels, database_labels=labels, k=k)
        for i in range(len(queries)):
            # Items of one code have one score; rounding of the others cannot matter here.
            order = np.lexsort((np.arange(400), -np.round(scores[i], 5)))
            truth = labels[order] == query_labels[i]
            assert result.average_precision[i] == pytest.approx(loop_average_precision(truth, k))


def test_precision_recall_equals_a_full_sort_up_to_its_bins():
    rng = np.random.default_rng(3)
    items = rng.normal(size=(300, 8)).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    queries, labels, query_labels_ = items[:20], rng.integers(2, size=300), rng.integers(2, size=20)
    recall, precision = metrics.precision_recall(FlatIndex(items, codebooks=1), queries, query_labels_, labels)
    scores = (queries @ items.T).ravel()
    truth = (labels[None] == query_labels_[:, None]).ravel()[np.argsort(-scores)]
    reached, exact = truth.cumsum() / truth.sum(), truth.cumsum() / np.arange(1, len(truth) + 1)
    for r, p in zip(recall[5:], precision[5:], strict=True):
        assert p == pytest.approx(exact[np.searchsorted(reached, r - 1e-9)], abs=0.01)


def test_ranks_of_curves_begin_at_one_and_end_at_k():
    for k in (1, 7, 1000, 5000):
        ranks = metrics.ranks_shown(k)
        assert (ranks[0], ranks[-1]) == (1, k) and (np.diff(ranks) > 0).all()


@pytest.mark.parametrize("k", [1, 20, 200, None])
def test_mean_average_precision_equals_that_of_measure(k):
    index, queries, query_labels, labels = random_index()
    expected = measure(index, queries, query_labels=query_labels, database_labels=labels, k=k or 200)
    result = mean_average_precision(index.search(queries, 200), query_labels, labels, k=k)
    assert result.plain == pytest.approx(expected.map, abs=1e-12)
    assert result.tie_aware == pytest.approx(expected.map_tie_aware, abs=1e-12)


def test_no_query_and_no_relevant_item_count_as_zero_and_wrong_labels_are_refused():
    index, queries, query_labels, labels = random_index()
    hits = index.search(queries, 5)
    assert mean_average_precision(index.search(queries[:0], 5), query_labels[:0], labels) == (0, 0)
    for wrong in (query_labels[1:], np.eye(3)[query_labels]):
        with pytest.raises(ValueError, match="labels"):
            mean_average_precision(hits, wrong, labels)
    with pytest.raises(ValueError, match="k is 0"):
        mean_average_precision(hits, query_labels, labels, k=0)
    with pytest.raises(ValueError, match="labels"):
        measure(index, queries, query_labels=query_labels, database_labels=labels[:-1], k=5)
    result = measure(index, queries, query_labels=np.full(9, 5), database_labels=labels, k=10)
    assert result.map == 0
    assert result.map_tie_aware == 0
