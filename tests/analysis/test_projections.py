"""Maps against scikit-learn and loops; what a visitor picks, against whatever a browser may send."""

import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

from transclipped.analysis import projections, umap_job
from transclipped.analysis.projections import Items, Map, UmapSettings
from transclipped.errors import InputError
from transclipped.files import write_json
from transclipped.machine import process_start
from transclipped.retrieval.index import decode, encode
from transclipped.training.run import Retrieval, RunDir

SMALL = arrays(np.float32, st.tuples(st.integers(1, 12), st.integers(1, 5)), elements=st.floats(-5, 5, width=16))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    yield tmp_path
    umap_job.cancel()


def groups(rng, n=90, d=6):
    """Three far groups."""
    return (10 * rng.normal(size=(3, d))[np.arange(n) % 3] + rng.normal(size=(n, d))).astype(np.float32)


def stored_of(rng, *, q=12, n=30, labelled=True):
    codebooks = rng.normal(size=(2, 16, 3))
    codebooks = (codebooks / np.linalg.norm(codebooks, axis=-1, keepdims=True)).astype(np.float32)
    queries = rng.normal(size=(q, 2, 3))
    queries = (queries / np.linalg.norm(queries, axis=-1, keepdims=True)).reshape(q, 6).astype(np.float16)
    codes = rng.integers(0, 16, (n, 2)).astype(np.uint8)
    labels = (rng.integers(0, 3, n), rng.integers(0, 3, q)) if labelled else (None, None)
    return Retrieval(codebooks, codes, np.arange(n), queries, np.arange(100, 100 + q), *labels)


def loop_trustworthiness(x, y, k):
    n = len(x)
    penalty = 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        far = {j: float(((x[i] - x[j]) ** 2).sum()) for j in others}
        near = sorted(others, key=lambda j: float(((y[i] - y[j]) ** 2).sum()))[:k]
        for j in near:
            penalty += max(0, 1 + sum(far[o] < far[j] for o in others) - k)
    return 1 - 2 * penalty / (n * k * (2 * n - 3 * k - 1))


# PCA


@pytest.mark.parametrize("d", [7, 300])  # decomposed exactly, and iterated
def test_pca_equals_scikit_learns_up_to_sign(rng, d):
    x = rng.normal(size=(60, d)) * np.linspace(3, 0.1, d)
    theirs = PCA(2, svd_solver="full").fit(x)
    found = projections.pca(x)
    np.testing.assert_allclose(np.abs(found.xy), np.abs(theirs.transform(x)), atol=1e-3)
    assert found.settings["variance"] == pytest.approx(theirs.explained_variance_ratio_.sum(), rel=1e-4)


@given(SMALL)
@settings(max_examples=60, deadline=None)
def test_pca_of_anything_is_finite_and_centred(x):
    found = projections.pca(x)
    assert found.xy.shape == (len(x), 2)
    assert np.isfinite(found.xy).all()
    np.testing.assert_allclose(found.xy.mean(0), 0, atol=1e-3)


@pytest.mark.parametrize("d", [3, 300])
def test_pca_without_variance_is_one_place(d):
    assert not projections.pca(np.ones((5, d), np.float32)).xy.any()


def test_pca_refuses_what_is_not_finite(rng):
    x = groups(rng)
    x[3, 2] = np.nan
    with pytest.raises(InputError, match="finite"):
        projections.pca(x)


# Trustworthiness


@pytest.mark.parametrize("metric", projections.METRICS)
@pytest.mark.parametrize("k", [1, 5, 14])
def test_trustworthiness_equals_scikit_learns(rng, metric, k):
    x, y = groups(rng), rng.normal(size=(90, 2))
    theirs = trustworthiness(x, y, n_neighbors=k, metric=metric)
    assert projections.trustworthiness(x, y, k=k, metric=metric) == pytest.approx(theirs, abs=1e-3)


def test_trustworthiness_equals_a_loop(rng):
    x, y = groups(rng, n=40), rng.normal(size=(40, 2))
    ours = projections.trustworthiness(x, y, k=6, metric="euclidean")
    assert ours == pytest.approx(loop_trustworthiness(x.astype(float), y, 6), abs=1e-6)


def test_map_that_is_the_embedding_is_trusted_fully(rng):
    x = rng.normal(size=(50, 2)).astype(np.float32)
    assert projections.trustworthiness(x, 3 * x + 1, metric="euclidean") == 1


def test_equal_points_cost_no_trust():
    x = np.repeat(np.eye(3, dtype=np.float32), 10, 0)
    assert projections.trustworthiness(x, x[:, :2], k=5, metric="euclidean") == 1


def test_a_draw_of_anchors_is_near_the_whole(rng):
    x, y = groups(rng, n=600), rng.normal(size=(600, 2))
    whole, part = (projections.trustworthiness(x, y, anchors=a) for a in (600, 300))
    assert part == pytest.approx(whole, abs=0.03)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_points_have_no_trustworthiness(n):
    assert projections.trustworthiness(np.eye(4, dtype=np.float32)[:n], np.zeros((n, 2))) is None


@given(SMALL.filter(lambda x: len(x) >= 4), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_trustworthiness_is_a_share(x, seed):
    y = np.random.default_rng(seed).normal(size=(len(x), 2))
    for metric in projections.METRICS:
        assert 0 <= projections.trustworthiness(x, y, metric=metric) <= 1


# Neighbours and newcomers


@pytest.mark.parametrize("metric", projections.METRICS)
def test_neighbours_are_exact(rng, metric):
    x, q = groups(rng), rng.normal(size=(4, 6)).astype(np.float32)
    distances, rows = projections.neighbours(x, q, 5, metric=metric)
    for i in range(4):
        if metric == "cosine":
            all_of = [1 - float(a @ q[i] / np.linalg.norm(a) / np.linalg.norm(q[i])) for a in x]
        else:
            all_of = [float(np.linalg.norm(a - q[i])) for a in x]
        np.testing.assert_allclose(distances[i], np.sort(all_of)[:5], atol=1e-4)
        assert set(rows[i]) == set(np.argsort(all_of)[:5])


def test_more_neighbours_than_there_are_points(rng):
    assert projections.neighbours(groups(rng, n=3), groups(rng, n=1), 9)[1].shape == (1, 3)


def test_item_is_not_its_own_neighbour_even_among_twins(rng):
    shown = projections.items(stored_of(rng), "database")
    shown.vectors["quantized"][:] = shown.vectors["quantized"][0]
    rows = projections.nearest_items(shown, 7, 5)
    assert len(rows) == 5 and 7 not in rows


@given(arrays(np.float64, (6, 2), elements=st.floats(-9, 9)), arrays(np.float64, 6, elements=st.floats(0, 5)))
@settings(deadline=None)
def test_newcomer_stands_among_its_neighbours(xy, distances):
    place = projections.placed(xy, np.arange(6), distances)
    assert (place >= xy.min(0) - 1e-6).all() and (place <= xy.max(0) + 1e-6).all()


def test_newcomer_stands_nearest_to_its_nearest():
    xy = np.array([[0.0, 0], [1, 0]])
    assert projections.placed(xy, np.arange(2), np.array([0.1, 0.9]))[0] < 0.5
    np.testing.assert_allclose(projections.placed(xy, np.arange(2), np.zeros(2)), [0.5, 0])


# Items of a run


def test_items_are_what_the_run_stores(rng):
    stored = stored_of(rng)
    asked, searched = (projections.items(stored, which) for which in ("queries", "database"))
    np.testing.assert_array_equal(asked.vectors["continuous"], stored.queries.astype(np.float32))
    np.testing.assert_array_equal(asked.codes, encode(stored.codebooks, stored.queries.astype(np.float32)))
    np.testing.assert_array_equal(searched.vectors["quantized"], decode(stored.codebooks, stored.codes))
    assert list(searched.vectors) == ["quantized"]


def test_sample_keeps_items_together(rng):
    stored = stored_of(rng)
    shown = projections.items(stored, "database", limit=9, seed=3)
    assert len(shown) == 9
    np.testing.assert_array_equal(shown.labels, stored.database_labels[shown.ids])
    np.testing.assert_array_equal(shown.codes, stored.codes[shown.ids])
    np.testing.assert_array_equal(shown.ids, projections.items(stored, "database", limit=9, seed=3).ids)


def test_unknown_items_are_refused(rng):
    with pytest.raises(InputError, match="queries or database"):
        projections.items(stored_of(rng), "train")


def test_cached_features_are_shown_with_the_embeddings_they_give(tiny_run):
    from transclipped.datasets.registry import load

    run = RunDir(tiny_run)
    images = load(run.config.data)
    for which in ("queries", "database"):
        shown = projections.items(run.retrieval(), which)
        full = projections.with_features(run, shown, images, shown.ids)  # ids of CIFAR-10 are rows
        assert list(full.vectors) == ["backbone", "continuous", "quantized"]
        codes = encode(run.retrieval().codebooks, full.vectors["continuous"])
        assert (codes == shown.codes).mean() > 0.99  # float16 of stored queries may move a tie


def test_features_are_not_shown_unless_all_are_cached(tiny_run, cache):
    from transclipped.datasets.registry import load

    run = RunDir(tiny_run)
    images, shown = load(run.config.data), projections.items(run.retrieval(), "queries")
    assert projections.with_features(run, shown, images, shown.ids) is shown


@pytest.mark.parametrize("which", ["queries", "database"])
def test_average_precision_of_an_item_equals_a_loop_without_itself(rng, which):
    stored = stored_of(rng)
    shown, k = projections.items(stored, which), 7
    found = projections.item_average_precision(stored, shown, k=k)
    items = decode(stored.codebooks, stored.codes)
    for i, asked in enumerate(shown.vectors.get("continuous", shown.vectors["quantized"])):
        others = [r for r in range(30) if stored.database_ids[r] != shown.ids[i]]
        scores = {r: float(items[r] @ asked) / 2 for r in others}
        order = sorted(others, key=lambda r: (-round(scores[r], 5), r))[:k]
        hits, precisions = 0, []
        for rank, r in enumerate(order, start=1):
            if stored.database_labels[r] == shown.labels[i]:
                hits += 1
                precisions.append(hits / rank)
        assert found[i] == pytest.approx(np.mean(precisions) if precisions else 0, abs=1e-9)


def test_no_average_precision_without_labels(rng):
    stored = stored_of(rng, labelled=False)
    assert projections.item_average_precision(stored, projections.items(stored, "queries"), k=5) is None


# Choice and export


@pytest.mark.parametrize("sent", [None, 3, "12", b"1", {"rows": 1}, [None, "a", True, -1, 99, 1.5, np.nan, [2]]])
def test_nonsense_from_a_browser_chooses_nothing(sent):
    assert not len(projections.chosen(sent, 10))


@given(st.lists(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans())), st.integers(0, 40))
@settings(deadline=None)
def test_choice_is_always_sorted_rows_of_the_items(sent, n):
    rows = projections.chosen(sent, n).tolist()
    assert rows == sorted(set(rows)) and all(0 <= row < n for row in rows)
    assert set(rows) <= {value for value in sent if isinstance(value, int | float)}


def test_id_in_the_address_names_its_row(rng):
    shown = projections.items(stored_of(rng), "queries")
    assert projections.row_of_id(shown, "103") == 3
    assert projections.row_of_id(shown, "3") is None
    assert projections.row_of_id(shown, None) is None


def test_exports_hold_the_chosen_rows():
    shown = Items(
        "queries", np.array(["a,b.png", 'c"d.png', "e.png"]), np.array([[1, 1], [0, 0], [0, 1]], np.uint8),
        np.array([[0, 255], [1, 2], [3, 4]], np.uint8), {"quantized": np.zeros((3, 2), np.float32)},
    )  # fmt: skip
    xy = np.arange(6, dtype=np.float32).reshape(3, 2)
    table = projections.selection_table(shown, np.array([0, 2]), ["sky", "sea"], {"pca": xy})
    assert table == {
        "id": ["a,b.png", "e.png"], "labels": ["sky;sea", "sea"], "code": ["00ff", "0304"],
        "pca x": [0.0, 4.0], "pca y": [1.0, 5.0],
    }  # fmt: skip
    assert projections.to_csv(table).decode().splitlines()[1] == '"a,b.png",sky;sea,00ff,0.0,1.0'
    assert pq.read_table(io.BytesIO(projections.to_parquet(table))).to_pydict() == table


def test_an_empty_choice_can_be_exported(rng):
    table = projections.selection_table(projections.items(stored_of(rng), "queries"), np.zeros(0, int), [], {})
    assert projections.to_csv(table) == b"id,labels,code\n"
    assert pq.read_table(io.BytesIO(projections.to_parquet(table))).num_rows == 0


# Settings and stored maps


@pytest.mark.parametrize(
    "wrong", [{"n_neighbors": 1}, {"min_dist": -0.1}, {"min_dist": np.nan}, {"metric": "manhattan"}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        UmapSettings(**wrong)


def test_key_tells_content_and_settings_apart(rng):
    x = groups(rng)
    changed = x.copy()
    changed[0, 0] += 1
    keys = [
        projections.map_key(projections.digest(v), s)
        for v in (x, changed)
        for s in (UmapSettings(), UmapSettings(n_neighbors=5))
    ]
    assert len(set(keys)) == 4
    assert keys[0] == projections.map_key(projections.digest(x.copy()), UmapSettings())


def test_stored_map_comes_back_and_a_torn_one_counts_as_none(cache):
    assert projections.stored_map("ab") is None
    path = projections.store_map("ab", Map(np.ones((3, 2)), None))
    assert projections.stored_map("ab").trustworthiness is None
    path.write_bytes(path.read_bytes()[:60])
    assert projections.stored_map("ab") is None


# UMAP in its own process


def finish(keys, seconds=90):
    end = time.monotonic() + seconds
    while any(projections.stored_map(key) is None for key in keys) and time.monotonic() < end:
        job = umap_job.current()
        assert job is None or job["state"] == "running", job
        time.sleep(0.1)


def test_umap_child_makes_maps_that_can_be_trusted_and_leaves_umap_out_of_this_process(rng, cache):
    x = np.concatenate([groups(rng), groups(rng)[:5], np.zeros((2, 6), np.float32)])
    x[40] = x[41]
    keys = umap_job.start([(x, UmapSettings(n_neighbors=8)), (x[:3], UmapSettings())])
    assert umap_job.current()["keys"] == keys
    with pytest.raises(InputError, match="another map"):
        umap_job.start([(x, UmapSettings(n_neighbors=9))])
    finish(keys)
    found = projections.stored_map(keys[0])
    assert found.xy.shape == (97, 2) and np.isfinite(found.xy).all()
    assert found.trustworthiness > 0.85
    np.testing.assert_array_equal(found.xy[40], found.xy[41])  # equal vectors share a place
    assert projections.stored_map(keys[1]).xy.shape == (3, 2)
    assert umap_job.start([(x, UmapSettings(n_neighbors=8))]) == keys[:1]  # nothing to do
    assert "umap" not in sys.modules


def test_cancelled_map_leaves_nothing_behind(rng, cache):
    umap_job.start([(groups(rng), UmapSettings())])
    pid = umap_job.current()["pid"]
    umap_job.cancel()
    assert umap_job.current() is None
    assert not umap_job.process_alive(pid)
    assert not (projections.maps_dir() / "job").exists()


def test_dead_child_is_told_and_its_place_taken(rng, cache):
    folder = projections.maps_dir() / "job"
    write_json(folder / "progress.json", {"state": "running", "pid": 2**22 + 5, "keys": [], "done": 0.5})
    assert umap_job.current()["state"] == "failed"
    keys = umap_job.start([(groups(rng, n=3), UmapSettings())])
    finish(keys)
    assert projections.stored_map(keys[0]) is not None


@pytest.mark.skipif(process_start(os.getpid()) is None, reason="the system does not tell when a process began")
def test_another_process_that_got_the_number_of_a_dead_child_is_neither_waited_for_nor_ended(cache):
    other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        progress = umap_job._progress([], other.pid, at=0, step="", done=0.5)
        path = projections.maps_dir() / "job" / "progress.json"
        write_json(path, progress)
        assert umap_job.current()["state"] == "running"
        boot, ticks = progress["started"].split()
        write_json(path, {**progress, "started": f"{boot} {int(ticks) - 1}"})
        assert umap_job.current()["state"] == "failed"
        umap_job.cancel()
        assert umap_job.current() is None and not path.exists()
        assert other.poll() is None
    finally:
        other.communicate(b"\n")
    assert other.returncode == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"state": "running", "pid": "x"}', "{"])
def test_damaged_progress_is_no_job(cache, text):
    folder = projections.maps_dir() / "job"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_text(text)
    assert umap_job.current() is None


def test_child_that_fails_says_why(cache):
    folder = projections.maps_dir() / "job"
    folder.mkdir(parents=True)
    np.save(folder / "0.npy", np.full((9, 3), np.nan, np.float32))
    task = {"key": "cd", "vectors": "0.npy", "settings": {"n_neighbors": 5}}
    (folder / "spec.json").write_text(json.dumps([task]))
    assert umap_job.main([str(folder)]) == 1
    assert "finite" in umap_job.current()["error"]
    assert umap_job.current()["pid"] == os.getpid()
    (folder / "progress.json").unlink()  # or cancelling would end this very process


@given(st.integers(2, 30), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_every_point_becomes_its_own_first_neighbour(n, seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, n + 1))
    rows = np.stack([rng.permutation(n)[:k] for _ in range(n)])
    distances = np.sort(rng.random((n, k)), axis=1)
    fixed, lengths = umap_job._self_first(rows, distances)
    assert (fixed[:, 0] == np.arange(n)).all() and not lengths[:, 0].any()
    assert all(len(set(line)) == k for line in fixed.tolist())
    assert (np.diff(lengths, axis=1) >= 0).all()
