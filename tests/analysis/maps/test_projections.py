"""Items of a map, against loops."""

import numpy as np
import pytest

from tests.points import stored_of
from transclipped.analysis.maps import projections
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode, encode
from transclipped.runs.run import RunDir


def test_items_are_what_the_run_stores_and_samples_keep_them_together(rng):
    stored = stored_of(rng)
    queries, database = (projections.items(stored, which) for which in ("queries", "database"))
    np.testing.assert_array_equal(queries.vectors["continuous"], stored.queries.astype(np.float32))
    np.testing.assert_array_equal(queries.codes, encode(stored.codebooks, stored.queries.astype(np.float32)))
    np.testing.assert_array_equal(database.vectors["quantized"], decode(stored.codebooks, stored.codes))
    assert list(database.vectors) == ["quantized"]
    points = projections.items(stored, "database", limit=9, seed=3)
    assert len(points) == 9
    np.testing.assert_array_equal(points.labels, stored.database_labels[points.ids])
    np.testing.assert_array_equal(points.codes, stored.codes[points.ids])
    np.testing.assert_array_equal(points.ids, projections.items(stored, "database", limit=9, seed=3).ids)


def test_unknown_items_are_refused_and_unlabelled_ones_have_no_average_precision(rng):
    with pytest.raises(InputError, match="queries or database"):
        projections.items(stored_of(rng), "train")
    stored = stored_of(rng, labelled=False)
    assert projections.item_average_precision(stored, projections.items(stored, "queries"), k=5) is None


def test_cached_features_are_shown_with_the_embeddings_they_give(tiny_run):
    run = RunDir(tiny_run)
    images = load(run.config.data)
    for which in ("queries", "database"):
        points = projections.items(run.retrieval(), which)
        full = projections.with_features(run, points, images, points.ids)  # ids of CIFAR-10 are rows
        assert list(full.vectors) == ["backbone", "continuous", "quantized"]
        codes = encode(run.retrieval().codebooks, full.vectors["continuous"])
        assert (codes == points.codes).mean() > 0.99  # float16 of stored queries may move a tie


def test_features_are_not_shown_unless_all_are_cached(tiny_run, cache):
    run = RunDir(tiny_run)
    images, points = load(run.config.data), projections.items(run.retrieval(), "queries")
    assert projections.with_features(run, points, images, points.ids) is points


@pytest.mark.parametrize("which", ["queries", "database"])
def test_average_precision_of_an_item_equals_a_loop_without_itself(rng, which):
    stored = stored_of(rng)
    points, k = projections.items(stored, which), 7
    result = projections.item_average_precision(stored, points, k=k)
    items = decode(stored.codebooks, stored.codes)
    for i, query in enumerate(points.vectors.get("continuous", points.vectors["quantized"])):
        others = [r for r in range(30) if stored.database_ids[r] != points.ids[i]]
        scores = {r: float(items[r] @ query) / 2 for r in others}
        order = sorted(others, key=lambda r: (-round(scores[r], 5), r))[:k]
        hits, precisions = 0, []
        for rank, r in enumerate(order, start=1):
            if stored.database_labels[r] == points.labels[i]:
                hits += 1
                precisions.append(hits / rank)
        assert result[i] == pytest.approx(np.mean(precisions) if precisions else 0, abs=1e-9)


def test_item_is_not_its_own_neighbour_even_among_twins(rng):
    points = projections.items(stored_of(rng), "database")
    points.vectors["quantized"][:] = points.vectors["quantized"][0]
    rows = projections.nearest_items(points, 7, 5)
    assert len(rows) == 5 and 7 not in rows
