"""Imported embeddings: read from each kind of file, refused if invalid, trained on and searched."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from transclipped.analysis import codebooks
from transclipped.analysis.clipping.batches import batch_of
from transclipped.cli import main
from transclipped.config import BackboneConfig, DataConfig, RunConfig
from transclipped.datasets.embeddings import DROPPED, Embeddings
from transclipped.datasets.embeddings import load as load_set
from transclipped.datasets.images.decode import to_png
from transclipped.datasets.labels.embeddings_file import read
from transclipped.errors import InputError
from transclipped.runs.run import RunDir


def load(path, **settings):
    return load_set(DataConfig(dataset="embeddings", data=str(path), **settings))


@pytest.fixture(scope="module")
def clusters():
    """300 embeddings `[300, 24]` around 6 centres, and their class."""
    rng = np.random.default_rng(0)
    classes = np.repeat(np.arange(6), 50)
    return (rng.normal(size=(6, 24))[classes] + 0.3 * rng.normal(size=(300, 24))).astype(np.float32), classes


@pytest.fixture(scope="module")
def parquet(clusters, tmp_path_factory):
    """The clusters as parquet with ids and class names."""
    path = tmp_path_factory.mktemp("imported") / "found.parquet"
    write(path, clusters[0], id=[f"item {i}" for i in range(300)], label=[f"class {c}" for c in clusters[1]])
    return path


def write(path, vectors, **columns):
    flat = pa.FixedSizeListArray.from_arrays(np.ascontiguousarray(vectors).ravel(), vectors.shape[1])
    pq.write_table(pa.table({"embedding": flat, **columns}), path)


@pytest.fixture(scope="module")
def run(parquet, tmp_path_factory, own_cache):
    """A run trained on the parquet file."""
    path = tmp_path_factory.mktemp("runs") / "elsewhere"
    flags = ["--dataset", "embeddings", "--data", str(parquet), "--epochs", "12", "--batch", "64", "--seed", "3"]
    assert main(["train", *flags, "--run", str(path)]) == 0
    return path


def test_each_kind_of_file_gives_the_same_embeddings(clusters, parquet, tmp_path):
    vectors, classes = clusters
    np.save(tmp_path / "a.npy", vectors)
    np.savez(tmp_path / "a.npz", embeddings=vectors, ids=np.arange(300) + 5, labels=classes)
    sets = [read(path) for path in (tmp_path / "a.npy", tmp_path / "a.npz", parquet)]
    for one in sets:
        np.testing.assert_array_equal(one.embeddings, vectors)
    assert sets[0].ids.tolist() == list(range(300)) and sets[0].labels is None
    assert sets[1].ids[0] == 5 and sets[1].labels.tolist() == classes.tolist()
    assert sets[2].ids[7] == "item 7" and sets[2].class_names[5] == "class 5"
    assert len({one.digest for one in sets}) == 3  # ids differ


def test_lists_and_matrices_are_several_labels_and_missing_ones_no_class(clusters, tmp_path):
    vectors = clusters[0][:3]
    write(tmp_path / "m.parquet", vectors, label=[["sea", "sky"], [], ["sky"]])
    one = read(tmp_path / "m.parquet")
    assert one.class_names == ("sea", "sky") and one.labels.tolist() == [[1, 1], [0, 0], [0, 1]]
    np.savez(tmp_path / "m.npz", embeddings=vectors, labels=np.array([[1, 0], [0, 1], [1, 1]]))
    assert read(tmp_path / "m.npz").labels.tolist() == [[1, 0], [0, 1], [1, 1]]
    write(tmp_path / "n.parquet", clusters[0][:3], label=["sea", None, "sky"])
    images = load(tmp_path / "n.parquet")
    assert images.labels.tolist() == [0, -1, 1] and images.labelled.tolist() == [True, False, True]


def test_labels_of_an_npy_come_from_a_csv(clusters, tmp_path):
    np.save(tmp_path / "a.npy", clusters[0][:4])
    (tmp_path / "labels.csv").write_text("id,label\n0,sea\n1,sky\n2,sea\n9,sky\n")
    images = load(tmp_path / "a.npy", labels=str(tmp_path / "labels.csv"))
    assert images.labels.tolist() == [0, 1, 0, -1]
    assert images.skipped[0][0] == "9"


def hostile(tmp_path):
    """What the message must name, by file."""
    good = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    nan, zero = good.copy(), good.copy()
    nan[2, 1], zero[3] = np.nan, 0
    arrays = {"nan": nan, "zero": zero, "flat": good.ravel(), "whole": np.ones((4, 3), int), "one": good[:1]}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}, None], object))
    (tmp_path / "text.npy").write_text("hello")
    (tmp_path / "empty.parquet").touch()
    (tmp_path / "half.npz").write_bytes(b"PK\x03\x04 half")
    np.savez(tmp_path / "unnamed.npz", x=good)
    np.savez(tmp_path / "short.npz", embeddings=good, ids=np.arange(3))
    np.savez(tmp_path / "twice.npz", embeddings=good, ids=np.array(["a", "b", "a", "c"]))
    np.savez(tmp_path / "labels.npz", embeddings=good, labels=np.arange(5))
    pq.write_table(pa.table({"embedding": [[1.0, 2.0], [1.0]]}), tmp_path / "ragged.parquet")
    pq.write_table(pa.table({"embedding": [[1.0, 2.0], None]}), tmp_path / "hole.parquet")
    pq.write_table(pa.table({"vector": [[1.0], [2.0]]}), tmp_path / "column.parquet")
    pq.write_table(pa.table({"embedding": ["a", "b"]}), tmp_path / "words.parquet")
    pq.write_table(pa.table({"embedding": pa.array([[1.0, None], [1.0, 2.0]])}), tmp_path / "null.parquet")
    (tmp_path / "a.txt").touch()
    named = """nan.npy: embedding 2, zero.npy: embedding 3, flat.npy: [12], whole.npy: int64, one.npy: 1 embeddings,
        pickled.npy: pickle, text.npy: text.npy, empty.parquet: empty.parquet, half.npz: half.npz, short.npz: 3 ids,
        unnamed.npz: 'embeddings', twice.npz: 'a', labels.npz: 5 labels, ragged.parquet: row 1, hole.parquet: row 1,
        column.parquet: 'embedding', words.parquet: string, null.parquet: embedding 0, a.txt: .npy,
        absent.npy: does not exist"""
    return dict(pair.strip().split(": ") for pair in named.split(","))


def test_hostile_files_end_in_one_line_and_code_2(tmp_path, capsys):
    for name, named in hostile(tmp_path).items():
        with pytest.raises(InputError, match=r"\S") as refused:
            read(tmp_path / name)
        assert named in str(refused.value), (name, str(refused.value))
        assert "\n" not in str(refused.value)
    flags = ["--dataset", "embeddings", "--data", str(tmp_path / "nan.npy")]
    assert main(["train", *flags, "--run", str(tmp_path / "run")]) == 2
    assert "nan.npy" in capsys.readouterr().err.strip().splitlines()[-1]
    assert main(["train", "--dataset", "embeddings", "--run", str(tmp_path / "run2")]) == 2


def test_features_keep_direction_at_a_fixed_length_whatever_the_magnitude(tmp_path, clusters, parquet):
    x = np.random.default_rng(1).normal(size=(3, 8))
    np.save(tmp_path / "x.npy", x * np.array([[1e30], [1e-30], [1]]))
    expected = x / np.linalg.norm(x, axis=1, keepdims=True) * 8**0.5
    np.testing.assert_allclose(load(tmp_path / "x.npy").features(np.arange(3)), expected, rtol=2e-3, atol=1e-3)
    images = load(parquet)
    rows = np.array([5, 0, 299])
    features = images.features(rows).astype(np.float64)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 24**0.5, rtol=1e-3)
    x = clusters[0][rows]
    np.testing.assert_allclose(features / 24**0.5, x / np.linalg.norm(x, axis=1, keepdims=True), atol=1e-3)


def test_views_drop_numbers_independently_of_other_rows(parquet):
    images = load(parquet)
    together = images.features(np.arange(300), view=2, seed=7)
    alone = images.features(np.array([250, 3]), view=2, seed=7)
    np.testing.assert_array_equal(together[[250, 3]], alone)
    assert np.mean(together == 0) == pytest.approx(DROPPED, abs=0.02)
    assert (together != images.features(np.arange(300), view=1, seed=7)).any()
    assert (together != images.features(np.arange(300), view=2, seed=8)).any()
    assert together.any(axis=1).all()


def test_numbers_are_drawn_as_an_image_but_have_no_pixels(tmp_path, parquet):
    np.save(tmp_path / "x.npy", np.array([[1.0, -1.0, 1.0, -1.0], [1, 1, 1, 1]]))
    images = load(tmp_path / "x.npy")
    image = np.asarray(images.image(0)).astype(int)
    assert image.shape == (2, 2, 3)
    assert image[0, 0, 2] > image[0, 0, 0] and image[0, 1, 0] > image[0, 1, 2]  # blue, orange
    assert images.encoded(0).startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no images"):
        load(parquet).pixels(np.array([0]), 32)
    assert isinstance(load(parquet), Embeddings)


def test_identity_backbone_goes_with_embeddings():
    data = DataConfig(dataset="embeddings", data="x.npy")
    assert RunConfig(data=data).backbone.name == "identity"
    resnet, identity = (BackboneConfig(name=name) for name in ("resnet18", "identity"))
    for settings in ({"data": data, "backbone": resnet}, {"backbone": identity}):
        with pytest.raises(InputError, match="go together"):
            RunConfig(**settings)
    with pytest.raises(InputError, match="identity"):
        BackboneConfig(name="identity", train="all")


def test_run_without_images_learns_and_is_complete(run):
    result = RunDir(run)
    assert result.record["backbone"]["name"] == "identity" and result.record["width"] == 24
    assert result.metrics()["modes"]["asymmetric"]["map"] > 0.9
    assert result.retrieval().database_ids[0].startswith("item ")


def test_lab_and_codebooks_work_without_images(run):

    batch = batch_of(RunDir(run), size=32, seed=0)
    assert batch.similarity.shape == (64, 64) and batch.false.any()
    assert codebooks.by_epoch(RunDir(run)).n > 0


def test_search_takes_items_but_no_images(run, tmp_path, capsys):

    name = str(RunDir(run).retrieval().database_ids[0])
    assert main(["search", "--id", name, "--run", str(run), "--top", "5", "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    stored = RunDir(run).retrieval()
    label = RunDir(run).record["class_names"][stored.database_labels[0]]
    assert sum(label in hit["labels"] for hit in hits) >= 4
    (tmp_path / "p.png").write_bytes(to_png(Image.new("RGB", (8, 8))))
    assert main(["search", str(tmp_path / "p.png"), "--run", str(run)]) == 2
    assert "cannot encode images" in capsys.readouterr().err


def test_more_embeddings_of_the_same_width_become_a_collection(run, clusters, tmp_path, capsys, tiny_run):
    np.save(tmp_path / "more.npy", clusters[0][::10])
    out = tmp_path / "out"
    assert main(["encode", str(tmp_path / "more.npy"), "--run", str(run), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] == 30
    assert main(["search", "--id", "7", "--run", str(run), "--collection", str(out), "--json"]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert hits[0]["path"].endswith(f"more.npy#{hits[0]['id']}")
    assert main(["encode", str(tmp_path / "more.npy"), "--run", str(tiny_run), "--out", str(tmp_path / "no")]) == 2
    assert main(["encode", str(tmp_path), "--run", str(run), "--out", str(tmp_path / "no")]) == 2
    np.save(tmp_path / "wide.npy", np.ones((4, 25)))
    assert main(["encode", str(tmp_path / "wide.npy"), "--run", str(run), "--out", str(tmp_path / "out")]) == 2
    assert "width 24" in capsys.readouterr().err


def test_nan_none_and_empty_text_are_missing_labels(clusters, tmp_path):
    embeddings, labels = clusters[:2]
    n = len(embeddings)
    missing = np.asarray(labels, float).copy()
    missing[::3] = np.nan
    texts = np.array([f"c{label}" if i % 3 else "" for i, label in enumerate(labels)])
    np.savez(tmp_path / "nan.npz", embeddings=embeddings, labels=missing)
    np.savez(tmp_path / "empty.npz", embeddings=embeddings, labels=texts)
    lists = pa.array([[f"c{label}", None] if i % 3 else [""] for i, label in enumerate(labels)])
    table = {"embedding": embeddings.tolist(), "label": pa.array(missing)}
    pq.write_table(pa.table(table), tmp_path / "nan.parquet")
    pq.write_table(pa.table(table | {"label": lists}), tmp_path / "lists.parquet")
    for path in sorted(tmp_path.iterdir()):
        images = load_set(DataConfig(dataset="embeddings", data=str(path)))
        assert (~images.labelled).sum() == len(range(0, n, 3)), path
        prefix = "" if path.stem == "nan" else "c"
        assert set(images.class_names) == {f"{prefix}{label}" for i, label in enumerate(labels) if i % 3}, path
    np.savez(tmp_path / "none.npz", embeddings=embeddings, labels=np.full(n, np.nan))
    assert load_set(DataConfig(dataset="embeddings", data=str(tmp_path / "none.npz"))).label_kind == "none"


@pytest.mark.parametrize(
    ("scale", "dtype"), [(1e-30, "f4"), (1e30, "f4"), (1e-3, "f2"), (1e3, "f2"), (1e-250, "f8"), (1e250, "f8")]
)
@pytest.mark.parametrize("shift", [0, 5])
def test_any_magnitude_and_any_mean_give_the_same_directions(clusters, tmp_path, scale, dtype, shift):
    embeddings = np.asarray(clusters[0], np.float64)
    embeddings = embeddings / np.abs(embeddings).max() + shift
    np.save(tmp_path / "e.npy", (embeddings * scale).astype(dtype))
    images = load_set(DataConfig(dataset="embeddings", data=str(tmp_path / "e.npy")))
    assert (images.centre is not None) == bool(shift)
    features = images.features(np.arange(len(images))).astype(float)
    expected = embeddings - (embeddings.mean(axis=0) if shift else 0)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cosine = (features * expected).sum(1) / np.linalg.norm(features, axis=1)
    assert cosine.min() > (0.98 if dtype == "f2" else 0.9999)


def test_a_run_subtracts_its_own_centre_from_whatever_it_encodes(clusters, tmp_path, capsys):
    embeddings, labels = np.asarray(clusters[0], np.float32), clusters[1]
    moved = embeddings + 5 * np.abs(embeddings).max()
    np.savez(tmp_path / "all.npz", embeddings=moved, labels=labels)
    flags = ["--dataset", "embeddings", "--data", str(tmp_path / "all.npz"), "--backbone", "identity"]
    run = tmp_path / "run"
    assert main(["train", *flags, "--run", str(run), "--epochs", "2", "--batch", "32", "--bits", "8"]) == 0
    centre = np.array(RunDir(run).record["centre"])
    assert np.allclose(centre, moved.mean(axis=0), rtol=1e-5)
    np.savez(tmp_path / "some.npz", embeddings=moved[:20], ids=np.arange(20))  # whose own mean is another
    for name in ("all", "some"):
        argv = ["encode", str(tmp_path / f"{name}.npz"), "--run", str(run), "--out", str(tmp_path / name)]
        assert main(argv) == 0
    codes = [pq.read_table(tmp_path / name / "codes.parquet")["code"].to_pylist()[:20] for name in ("all", "some")]
    assert codes[0] == codes[1]
    before = RunDir(run)
    queries, modes = before.retrieval().queries, before.metrics()["modes"]
    assert main(["evaluate", "--run", str(run), "--json"]) == 0
    np.testing.assert_array_equal(RunDir(run).retrieval().queries, queries)  # trained and measured with one centre
    assert RunDir(run).metrics()["modes"] == modes
