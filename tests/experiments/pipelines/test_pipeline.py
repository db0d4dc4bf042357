"""Pipelines on real images: roles, sharing, runs as stages, saved pipelines."""

import json
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

import transclipped as tc
from transclipped.config import DataConfig
from transclipped.errors import InputError
from transclipped.experiments.pipelines import files as saved
from transclipped.experiments.pipelines.features import Maps
from transclipped.experiments.pipelines.source import images_of
from transclipped.experiments.pipelines.store import DiskStore
from transclipped.retrieval.chain import Store
from transclipped.retrieval.index import Hits
from transclipped.retrieval.metrics import measure_hits
from transclipped.retrieval.stages import stage
from transclipped.utils.progress import watch

DATA = {"dataset": "cifar10", "train_limit": 120, "database_limit": 120, "query_limit": 30}
CONFIG = DataConfig(**DATA)
CNN = "efficientnet-lite0(32)"
MAPS = "stem16(64) | gem | l2 | pca(16) | l2 | dba(5) | pq(32) | qe(5)"
FUSED = f"rrf(stem16(64) | mean | l2 + {CNN} | l2 | pq(16)) | k-reciprocal(6, 3)"


@pytest.fixture(scope="module")
def source():
    return images_of(CONFIG)


def evaluated(line, source, **options):
    return tc.Pipeline(line).fit(source, **options).evaluate()


def test_evaluation_measures_queries_against_the_database(source):
    pipeline = tc.Pipeline(f"{CNN} | l2").fit(source)
    result, split, images = pipeline.evaluate(k=50), source.split, source.images
    assert (result["n_queries"], result["n_database"], result["k"]) == (30, 120, 50)
    x = {b: source.vectors(pipeline.ranker.features, b) for b in ("query", "database")}
    x = {name: array / np.linalg.norm(array, axis=1, keepdims=True) for name, array in x.items()}
    rows = np.argsort(-(x["query"] @ x["database"].T), axis=1, kind="stable")[:, :50]
    labels = images.labels[split.query], images.labels[split.database]
    right = labels[0][:, None] == labels[1][rows]
    precision = right.cumsum(1) / np.arange(1, 51)
    relevant = (labels[0][:, None] == labels[1]).sum(1)
    assert result["map_r"] == pytest.approx(np.mean((precision * right).sum(1) / np.minimum(50, relevant)), abs=2e-4)
    assert result["map"] == pytest.approx(np.mean((precision * right).sum(1) / np.maximum(1, right.sum(1))), abs=2e-4)
    assert result["precision@10"] == pytest.approx(right[:, :10].mean(), abs=2e-3)
    assert result["bytes_per_item"] == 4 * 1280


def test_validation_never_looks_at_queries():
    config = DataConfig(**DATA)
    held, whole = images_of(config, validation=40), images_of(config)
    mine = [held.split.train, held.split.database, held.split.query]
    assert not np.isin(np.concatenate(mine), whole.split.query).any()
    assert len(held.split.query) == 40 and not np.isin(held.split.query, held.split.database).any()
    assert set(np.concatenate(mine)) == set(whole.split.train)
    result = tc.Pipeline(f"{CNN} | l2").fit(config, validation=40).evaluate()
    assert result["n_queries"] == 40 and "validation" in result["protocol"]
    for wrong in (120, 5000):
        with pytest.raises(InputError, match="120 training images"):
            images_of(config, validation=wrong)


@pytest.mark.parametrize("line", [f"{CNN} | l2 | dba(5) | pq(16)", MAPS, FUSED])
def test_the_store_changes_nothing_and_computes_nothing_twice(line, source, tmp_path, monkeypatch):
    fresh = tc.Pipeline(line).fit(source, store=Store())
    first = tc.Pipeline(line).fit(source, store=DiskStore(tmp_path))
    assert first.evaluate().keys() == fresh.evaluate().keys()
    monkeypatch.setattr(Maps, "batches", lambda *arguments, **options: 1 / 0)
    again = tc.Pipeline(line).fit(source, store=DiskStore(tmp_path))
    timed = ("seconds_to_fit", "seconds_per_query")
    for name, value in again.evaluate().items():
        assert name in timed or value == first.evaluate()[name] == fresh.evaluate()[name], name
    k = 20
    for a, b in ((first, again), (first, fresh)):
        np.testing.assert_array_equal(a.ranker.hits(k).value.rows, b.ranker.hits(k).value.rows)
        np.testing.assert_array_equal(a.ranker.hits(k).value.scores, b.ranker.hits(k).value.scores)


def test_damaged_stored_outputs_are_computed_again(source, tmp_path):
    line = "stem16(64) | mean | l2 | pq(16)"
    first = tc.Pipeline(line).fit(source, store=DiskStore(tmp_path)).ranker.hits(10).value
    for number, file in enumerate(sorted(tmp_path.glob("*.safetensors"))):
        file.write_bytes(b"" if number % 2 else file.read_bytes()[: file.stat().st_size // 2])
    again = tc.Pipeline(line).fit(source, store=DiskStore(tmp_path)).ranker.hits(10).value
    np.testing.assert_array_equal(first.rows, again.rows)


def test_maps_are_not_negative_and_pool_to_the_backbones_vector(source):
    rows = source.split.query[:5]
    for name, channels, side in (("stem16", 112, 4), ("head32", 1280, 2), ("tokens", 256, 4)):
        step = tc.Pipeline(f"{name}(size=64) | mean").line.steps[0]
        maps = np.concatenate(list(source.features(step, source.images).batches(rows)))
        assert maps.shape == (5, channels, side, side) and maps.min() >= 0 and maps.any()
    head, pooled = (tc.Pipeline(line).line.steps[0] for line in ("head32(64) | mean", "efficientnet-lite0(64)"))
    means = np.concatenate(list(source.features(head, source.images).batches(rows))).mean((2, 3))
    vectors = np.concatenate(list(source.features(pooled, source.images).batches(rows)))
    np.testing.assert_allclose(means, vectors, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("features", ["head32(48) | mean", "efficientnet-lite0(48)", "lighting"])
def test_who_watches_sees_images_counted(features, source, monkeypatch, tmp_path):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    fresh, seen = images_of(CONFIG), []
    with watch(seen.append):
        tc.Pipeline(f"{features} | l2 | float").fit(fresh, store=Store())
    assert seen[-1].done == seen[-1].total == len(fresh.split.database)
    assert all(0 < a.done <= b.done or a.done == a.total for a, b in pairwise(seen))
    again = len(seen)
    with watch(seen.append):
        tc.Pipeline(f"{features} | l2 | float").fit(fresh, store=Store())
    assert (len(seen) > again) == features.endswith("mean")  # maps are not kept


@pytest.mark.parametrize("line", [f"{CNN} | l2 | float | qe(3)", MAPS, FUSED])
def test_an_uploaded_image_finds_what_its_row_finds(line, source, tmp_path):
    pipeline = tc.Pipeline(line).fit(source)
    row = int(source.split.database[7])
    by_id = pipeline.search(row, k=8)
    image = source.images.image(row)
    image.save(tmp_path / "query.png")
    for query in (image, [image], tmp_path / "query.png", str(tmp_path / "query.png")):
        hits = pipeline.search(query, k=8)
        assert len(set(hits.rows[0]) & set(by_id.rows[0])) >= 7
    assert 7 in by_id.rows[0][:4]
    two = pipeline.search([image, Image.new("RGB", (50, 20))], k=3)
    assert two.rows.shape == (2, 3)


@pytest.mark.parametrize("line", [f"{CNN} | l2 | pca(8) | float", MAPS, FUSED, f"{CNN} | l2 | itq(16) | qe(3)"])
def test_a_saved_pipeline_gives_equal_hits(line, source, tmp_path):
    pipeline = tc.Pipeline(line).fit(source)
    pipeline.save(tmp_path / "saved")
    loaded = tc.Pipeline.load(tmp_path / "saved")
    assert str(loaded) == str(pipeline)
    for query in (int(source.split.query[0]), source.images.image(3)):
        a, b = (each.search(query, k=12) for each in (pipeline, loaded))
        np.testing.assert_array_equal(a.rows, b.rows)
        np.testing.assert_array_equal(a.scores, b.scores)
    assert loaded.ranker.bytes_per_item == pipeline.ranker.bytes_per_item


@pytest.mark.parametrize("line", ["l2 | float", "l2 | pq(16)"])
def test_vectors_wider_than_a_folder_holds_are_refused_and_a_folder_with_a_record_is_complete(
    line, tmp_path, monkeypatch
):
    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    folder = tc.Pipeline(line).fit(vectors).save(tmp_path / "saved")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    other = tc.Pipeline(line).fit(vectors[::-1])
    with monkeypatch.context() as patch:
        patch.setattr(saved, "WIDEST", 7)
        with pytest.raises(InputError, match="8 numbers"):
            other.save(folder)
        with pytest.raises(InputError):
            tc.Pipeline.load(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before

    def full(*_):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(saved, "save_tensors", full)
        with pytest.raises(OSError, match="no space left"):
            other.save(folder)
    assert not (folder / saved.RECORD).exists()


@pytest.mark.parametrize("line", [f"{CNN} | l2 | pca(8) | float", FUSED])
def test_folders_of_arrays_alone_still_load(line, source, tmp_path):
    """Earlier versions wrote the items of every index to index.safetensors, and no index.faiss."""
    pipeline = tc.Pipeline(line).fit(source)
    folder = pipeline.save(tmp_path / "saved")
    record = json.loads((folder / "pipeline.json").read_text())
    arrays = {}
    for name in record.pop("indexes"):
        prefix = name.removesuffix("index.faiss")
        chain = pipeline.ranker.chains[int(prefix[6]) - 1] if prefix else pipeline.ranker
        if hasattr(chain.index, "embeddings"):
            arrays[f"{prefix}embeddings"] = chain.index.embeddings
        else:
            arrays[f"{prefix}codes"], arrays[f"{prefix}width"] = chain.index.codes.codes, np.array(1280)
        (folder / name).unlink()
    save_file(arrays, folder / "index.safetensors")
    (folder / "pipeline.json").write_text(json.dumps(record))
    query = int(source.split.query[0])
    a, b = (each.search(query, k=12) for each in (pipeline, tc.Pipeline.load(folder)))
    np.testing.assert_array_equal(a.rows, b.rows)
    for content in (b"", (folder / "state.safetensors").read_bytes()):
        (folder / "index.safetensors").write_bytes(content)
        with pytest.raises(InputError):
            tc.Pipeline.load(folder)


def test_an_index_of_a_plug_in_is_built_again_from_its_vectors(own_registries, tmp_path):
    class Bare:
        """Search without faiss."""

        def __init__(self, vectors):
            self.items, self.n, self.bytes_per_item = vectors, len(vectors), 1.0

        def embed(self, vectors):
            return vectors

        def search(self, queries, k):
            scores = queries @ self.items.T
            rows = np.argsort(-scores, 1, kind="stable")[:, :k]
            return Hits(np.take_along_axis(scores, rows, 1), rows)

        def decoded(self):
            return self.items

    @stage("bare", kind="coding", idea="", formula="", source="")
    def bare(vectors):
        return Bare(vectors)

    vectors = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    for line, files in (
        ("l2 | bare", {"index.safetensors"}),
        ("l2 | float", {"index.faiss"}),
        ("rrf(l2 | bare + l2 | pca(4) | l2 | pq(16))", {"index.safetensors", "branch2.index.faiss"}),
    ):
        pipeline = tc.Pipeline(line).fit(vectors)
        folder = pipeline.save(tmp_path / "saved")
        assert files <= {path.name for path in folder.iterdir()}
        assert ("index.safetensors" in files) == (folder / "index.safetensors").exists()
        loaded = tc.Pipeline.load(folder)
        np.testing.assert_array_equal(loaded.search(vectors[:4]).rows, pipeline.search(vectors[:4]).rows)


def test_damaged_saved_pipelines_are_refused(source, tmp_path):
    folder = tc.Pipeline(f"{CNN} | l2 | pq(16)").fit(source).save(tmp_path / "saved")
    record = json.loads((folder / "pipeline.json").read_text())
    cases = {
        "pipeline.json": [
            b"{",
            b"[]",
            b'{"pipeline": 3}',
            *(
                json.dumps(record | change).encode()
                for change in (
                    {"fingerprints": ["x"]},
                    {"fingerprints": []},
                    {"fingerprints": 3},
                    {"data": {"x": 1}},
                    {"indexes": {}},
                    {"indexes": {"index.faiss": 3}},
                    *(
                        {"indexes": {"index.faiss": record["indexes"]["index.faiss"] | entry}}
                        for entry in (
                            {"sha256": ""},
                            {"width": 7},
                            {"width": -1},
                            {"width": 10**12},
                            {"width": "x"},
                            {"kind": "floats"},
                            {"kind": "head"},
                        )
                    ),
                )
            ),
        ],
        "state.safetensors": [b"", b"x" * 50],
        "index.faiss": [b"", (folder / "state.safetensors").read_bytes()],
    }
    for name, contents in cases.items():
        before = (folder / name).read_bytes()
        for content in contents:
            (folder / name).write_bytes(content)
            with pytest.raises(InputError):
                tc.Pipeline.load(folder)
        (folder / name).unlink()
        with pytest.raises(InputError):
            tc.Pipeline.load(folder)
        (folder / name).write_bytes(before)
    assert tc.Pipeline.load(folder).search(int(source.split.query[0]), k=3).rows.shape == (1, 3)


def test_a_run_is_a_stage_and_measures_as_the_run(tiny_run):
    run = tc.Run(tiny_run)
    stored = tc.Pipeline(f"run:{tiny_run}").fit("cifar10")
    result = stored.evaluate(k=run.metrics["k"])
    assert result["map"] == pytest.approx(run.metrics["modes"]["asymmetric"]["map"], abs=1e-5)
    assert result["bytes_per_item"] == 4
    name = run.arrays.query_ids[0].item()
    searcher = tc.Searcher(run)
    assert [int(row) for row in stored.search(name, k=5).rows[0]] == [hit.row for hit in searcher.search(name, top=5)]
    image = tc.load_dataset("cifar10").image(7)
    assert [int(row) for row in stored.search(image, k=5).rows[0]] == [hit.row for hit in searcher.search(image, top=5)]
    config = run.config.data
    computed = tc.Pipeline(f"{CNN} | run:{tiny_run}").fit(config)
    codes = computed.ranker.index.codes
    assert (codes == run.arrays.codes).mean() > 0.99
    assert computed.evaluate(k=result["k"])["map"] == pytest.approx(result["map"], abs=0.01)
    with pytest.raises(InputError, match="efficientnet-lite0"):
        tc.Pipeline(f"hybrid-vit | run:{tiny_run}").fit(config)
    with pytest.raises(InputError, match="numbers"):
        tc.Pipeline(f"{CNN} | pca(7) | run:{tiny_run}").fit(config)


def test_a_run_is_re_ranked_by_its_codes_alone(tiny_run, tmp_path):
    pipeline = tc.Pipeline(f"run:{tiny_run} | qe(5) | k-reciprocal(6, 3)").fit("cifar10", query_limit=9)
    assert pipeline.evaluate()["n_queries"] == 9
    pipeline.save(tmp_path / "saved")
    name = tc.Run(tiny_run).arrays.query_ids[3].item()
    loaded = tc.Pipeline.load(tmp_path / "saved")
    np.testing.assert_array_equal(pipeline.search(name, k=9).rows, loaded.search(name, k=9).rows)


def test_clipped_codes_are_trained_on_the_vectors_that_reach_them(source):
    line = f"{CNN} | l2 | dba(5) | clipped(bits=16, epochs=2, views=2, batch=40)"
    pipeline = tc.Pipeline(line).fit(source)
    result = pipeline.evaluate()
    assert result["bytes_per_item"] == 2 and 0.1 < result["map"] <= 1
    again = tc.Pipeline(line).fit(source, store=Store())
    np.testing.assert_array_equal(again.ranker.index.codes, pipeline.ranker.index.codes)
    other = tc.Pipeline(line.replace("batch=40", "batch=40, rule=none")).fit(source)
    assert (other.ranker.index.codes != pipeline.ranker.index.codes).any()
    for wrong, named in (("rule=nope", "mean none"), ("rule=none, amount=2", "no amount"), ("bits=12", "multiple")):
        with pytest.raises(InputError, match=named):
            tc.Pipeline(f"{CNN} | clipped({wrong}, views=2, epochs=1)").fit(source)


def test_ladder_shows_each_prefix(source):
    pipeline = tc.Pipeline(MAPS).fit(source)
    row = int(source.split.query[4])
    rungs = pipeline.ladder(row, k=20, means=True)
    assert [rung.stage for rung in rungs] == ["gem", "l2", "pca", "l2", "dba", "pq", "qe"]
    assert rungs[-1].line == str(pipeline) and [rung.bytes_per_item for rung in rungs[-2:]] == [4, 4]
    labels = source.labels()
    for rung in rungs:
        assert rung.hits.rows.shape == (1, 20)
        np.testing.assert_array_equal(rung.relevant, labels[1][rung.hits.rows[0]] == source.images.labels[row])
        alone = tc.Pipeline(rung.line).fit(source)
        np.testing.assert_array_equal(alone.search(row, k=20).rows, rung.hits.rows)
        assert rung.map == pytest.approx(alone.evaluate(k=20)["map"], abs=1e-5)
    one = measure_hits(rungs[-1].hits, source.images.labels[[row]], labels[1], k=20)
    assert (rungs[-1].ap, rungs[-1].ap_r) == (one.map, one.map_r)
    kept = dict(source._features)
    assert pipeline.ladder(Image.new("RGB", (40, 40)))[0].ap is None
    assert source._features == kept  # uploaded images leave nothing behind


def test_the_time_of_a_ladder_is_that_of_a_search_which_computes_nothing_of_the_database(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(300, 16)).astype(np.float32)
    pipeline = tc.Pipeline("l2 | pca(8) | itq(8)").fit(vectors)
    searches, search = [], pipeline._search
    monkeypatch.setattr(pipeline, "_search", lambda *args: searches.append(args) or search(*args))

    def count(k):
        searches.clear()
        return len(pipeline.ladder(vectors[:1], k=k)), len(searches)

    prefixes, first = count(10)
    assert first == 2 * prefixes and count(10) == (prefixes, prefixes)
    assert count(20) == (prefixes, 2 * prefixes)  # re-ranking may prepare for each K
    pipeline.fitted.store._entries.clear()  # as if others had filled it
    assert count(20)[1] > prefixes and count(20) == (prefixes, prefixes)


def test_a_folder_without_labels_is_searched_but_not_measured(tmp_path):
    images = tc.load_dataset("cifar10")
    for row in range(14):
        images.image(row).save(tmp_path / f"{row}.png")
    pipeline = tc.Pipeline(f"{CNN} | l2").fit("folder", data=str(tmp_path))
    result = pipeline.evaluate()
    assert result["map"] is None and result["map_r"] is None and result["n_database"] == 13
    hits = pipeline.search("3.png", k=5)
    name, labels = pipeline.source.described(int(hits.rows[0, 0]))
    assert name.endswith(".png") and labels == []


def test_backbones_of_plug_ins_and_custom_stages(own_registries, source, tmp_path):
    from transclipped import plugins

    (tmp_path / "mine.py").write_text(
        "import torch\nfrom transclipped.plugins import register_backbone, register_stage\n"
        "@register_backbone('thumbs')\nclass Thumbs(torch.nn.Module):\n    num_features = 48\n    image_size = 32\n"
        "    def forward(self, x):\n        return torch.nn.functional.adaptive_avg_pool2d(x, 4).flatten(1)\n"
        "@register_stage('halve', kind='transform', idea='', formula='', source='')\n"
        "def halve(vectors, *, by: float = 2.0):\n    return vectors / by\n"
        "@register_stage('broken', kind='transform', idea='', formula='', source='')\n"
        "def broken(vectors):\n    return vectors.missing\n"
    )
    plugins.load(tmp_path / "mine.py")
    pipeline = tc.Pipeline("thumbs | halve(4) | l2")
    assert str(pipeline) == "thumbs(size=0) | halve(by=4) | l2 | float"
    assert pipeline.fit(source).evaluate()["bytes_per_item"] == 4 * 48
    with pytest.raises(InputError, match="broken"):
        tc.Pipeline("thumbs | broken").fit(source)


def test_wrong_uses_are_refused(source):
    vectors = np.eye(6, dtype=np.float32)
    with pytest.raises(InputError, match="fit"):
        tc.Pipeline("l2").search(vectors)
    with pytest.raises(InputError, match="vectors"):
        tc.Pipeline(f"{CNN} | l2").fit(vectors)
    with pytest.raises(InputError, match="features"):
        tc.Pipeline("l2").fit(source)
    with pytest.raises(InputError, match="vectors"):
        tc.Pipeline("l2").fit(vectors).search(3)
    with pytest.raises(InputError, match="images"):
        tc.Pipeline(f"{CNN} | l2").fit(source).search(vectors)
    with pytest.raises(InputError, match="k is 0"):
        tc.Pipeline("l2").fit(vectors).search(vectors, k=0)
    with pytest.raises(InputError, match="views"):
        tc.Pipeline("l2 | clipped(epochs=1)").fit(vectors)
    with pytest.raises(InputError, match="NaN"):
        tc.Pipeline("l2").fit(np.full((3, 2), np.nan))
    with pytest.raises(InputError, match="tokens"):
        tc.Pipeline("tokens(backbone=efficientnet-lite0) | mean").fit(source)
    with pytest.raises(InputError, match=r"no longer|no image"):
        tc.Pipeline(f"{CNN} | l2").fit(source).search("nowhere.png")
