"""Items of a map, against loops."""

import math

import numpy as np
import pytest

from tests.points import stored_of
from transclipped.analysis.maps import projections
from transclipped.analysis.maps.store import Items
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
    rows, _ = projections.nearest_items(points, 7, 5)
    assert len(rows) == 5 and 7 not in rows


def cosine_distance(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    return 1 - float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))


@pytest.mark.parametrize("kind", ["continuous", "quantized"])
def test_neighbours_and_their_distances_equal_a_loop(rng, kind):
    points = projections.items(stored_of(rng), "queries")
    vectors = points.vectors[kind]
    rows, distances = projections.nearest_items(points, 4, 6, kind=kind)
    loop = sorted((cosine_distance(vectors[4], vectors[i]), i) for i in range(12) if i != 4)[:6]
    np.testing.assert_allclose(distances, [distance for distance, _ in loop], atol=1e-6)
    assert rows.tolist() == [i for _, i in loop] or kind == "quantized"  # equal codes are ties
    query = rng.normal(size=6).astype(np.float32)
    rows, distances = projections.nearest_to(points, query, 50, kind=kind)
    assert sorted(rows.tolist()) == list(range(12))
    np.testing.assert_allclose(distances, [cosine_distance(query, vectors[row]) for row in rows], atol=1e-6)
    assert (np.diff(distances) >= 0).all()


def test_typical_items_of_a_codeword_are_those_nearest_to_it(rng):
    points = projections.items(stored_of(rng, q=60), "queries")
    parts = points.vectors["continuous"].reshape(60, 2, 3)[:, 1]
    words = points.vectors["quantized"].reshape(60, 2, 3)[:, 1]
    word = np.bincount(points.codes[:, 1]).argmax()
    own = [row for row in range(60) if points.codes[row, 1] == word]
    expected = sorted(own, key=lambda row: math.dist(parts[row].tolist(), words[row].tolist()))[:3]
    assert projections.typical_items(points, 1, int(word), 3) == expected
    database = projections.items(stored_of(rng), "database")
    word = int(database.codes[0, 0])
    assert projections.typical_items(database, 0, word, 1) == [0]
    assert projections.typical_items(database, 0, 200, 3) == []


def test_few_images_of_an_untrained_backbone_may_be_encoded(tiny_run):
    run = RunDir(tiny_run)
    points = projections.items(run.retrieval(), "queries")
    assert projections.can_encode(run, points)
    many = Items("queries", np.arange(1001), None, np.zeros((1001, 1), np.uint8), {})
    assert not projections.can_encode(run, many)
