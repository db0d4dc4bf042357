"""Collections: what is encoded again or reused, search with several images, and paths of hits."""

import json
import os
import shutil

import numpy as np
import pytest

from tests.search.conftest import refused
from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets.images.decode import open_image
from transclipped.datasets.registry import load
from transclipped.retrieval.coding.product import encode
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search import collection
from transclipped.search.collection import NO_FILE, CollectionItems, joined
from transclipped.search.searcher import Searcher


def encoded(capsys, folder, run, out, *flags):
    assert main(["encode", str(folder), "--run", str(run), "--out", str(out), *flags, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def searched(capsys, run, out, *query):
    assert main(["search", *map(str, query), "--run", str(run), "--collection", str(out), "--top", "99", "--json"]) == 0
    return json.loads(capsys.readouterr().out)["hits"]


@pytest.fixture(scope="module")
def cifar():
    return load(DataConfig())


@pytest.fixture
def paint(cifar):
    """Write a CIFAR-10 image to a path."""

    def write(path, row):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cifar.encoded(row))
        return path

    return write


@pytest.fixture
def folder(tmp_path, paint):
    for row in range(6):
        paint(tmp_path / "holiday" / f"{row}.png", row)
    return tmp_path / "holiday"


def test_only_new_and_changed_files_are_encoded_again(tiny_run, folder, paint, tmp_path, capsys):
    out = tmp_path / "out"
    assert encoded(capsys, folder, tiny_run, out)["n_encoded"] == 6
    before = Retrieval.load(out / "retrieval.npz")
    again = encoded(capsys, folder, tiny_run, out)
    assert (again["n"], again["n_encoded"], again["n_reused"]) == (6, 0, 6)
    paint(folder / "2.png", 40)
    os.utime(folder / "2.png", ns=(1, 1))
    paint(folder / "new.png", 50)
    third = encoded(capsys, folder, tiny_run, out)
    assert (third["n"], third["n_encoded"], third["n_reused"]) == (7, 2, 5)
    after = Retrieval.load(out / "retrieval.npz")
    unchanged = [row for row, name in enumerate(after.database_ids) if name not in ("2.png", "new.png")]
    old = [before.database_ids.tolist().index(after.database_ids[row]) for row in unchanged]
    np.testing.assert_array_equal(after.codes[unchanged], before.codes[old])


def test_reused_codes_equal_those_of_a_new_encoding(tiny_run, folder, paint, tmp_path, capsys):
    encoded(capsys, folder, tiny_run, tmp_path / "grown")
    paint(folder / "inner" / "new.png", 7)
    encoded(capsys, folder, tiny_run, tmp_path / "grown")
    encoded(capsys, folder, tiny_run, tmp_path / "new")
    grown, new = (Retrieval.load(tmp_path / name / "retrieval.npz") for name in ("grown", "new"))
    np.testing.assert_array_equal(grown.database_ids, new.database_ids)
    np.testing.assert_array_equal(grown.codes, new.codes)


def test_collection_and_queries_have_the_image_size_of_training(tiny_run, folder, tmp_path, capsys):
    run = tmp_path / "unspoken"
    shutil.copytree(tiny_run, run)
    record = json.loads((run / "config.json").read_text())
    assert record["image_size"] == 32
    record["backbone"]["image_size"] = None  # as without a chosen size
    (run / "config.json").write_text(json.dumps(record))
    encoded(capsys, folder, run, tmp_path / "out")
    searcher = Searcher(RunDir(run), collection=tmp_path / "out")
    codes = encode(searcher.stored.codebooks, searcher.embed([open_image(folder / f"{row}.png") for row in range(6)]))
    assert (codes == searcher.stored.codes).mean() > 0.9  # rounding of float16 may turn a near tie


def test_missing_files_leave_the_collection(tiny_run, folder, tmp_path, capsys):
    encoded(capsys, folder, tiny_run, tmp_path / "out")
    (folder / "3.png").unlink()
    assert encoded(capsys, folder, tiny_run, tmp_path / "out")["n"] == 5
    hits = searched(capsys, tiny_run, tmp_path / "out", folder / "1.png")
    assert "3.png" not in [hit["id"] for hit in hits]


def test_adding_a_folder_keeps_the_other_and_all_paths(tiny_run, folder, paint, tmp_path, capsys):
    out, other = tmp_path / "out", tmp_path / "party"
    for row in (0, 20, 21):
        paint(other / f"{row}.png", row + 30)
    encoded(capsys, folder, tiny_run, out)
    summary = encoded(capsys, other, tiny_run, out, "--add")
    assert (summary["n"], summary["n_encoded"]) == (9, 3)
    assert summary["folders"] == [str(folder), str(other)]
    hits = searched(capsys, tiny_run, out, other / "0.png")
    assert {hit["id"] for hit in hits} >= {"0.png", "party/0.png"}  # the second name was taken
    assert all(os.path.isfile(hit["path"]) for hit in hits)
    assert next(hit for hit in hits if hit["id"] == "party/0.png")["path"] == str(other / "0.png")
    assert encoded(capsys, other, tiny_run, out, "--add")["n_encoded"] == 0
    assert encoded(capsys, other, tiny_run, out)["n"] == 3  # without --add: this folder alone


def test_interrupted_encoding_resumes(tiny_run, folder, tmp_path, paint):
    paint(folder / "0.png", 77)  # so that no other test has encoded these
    config = DataConfig(dataset="folder", data=str(folder))
    work = collection.encode_folder(RunDir(tiny_run), config, tmp_path / "out")
    progress = next(work)
    assert progress.seconds_left is not None
    work.close()
    assert not (tmp_path / "out").exists()
    assert list(collection.encode_folder(RunDir(tiny_run), config, tmp_path / "out")) == []  # all was in the cache
    assert len(Retrieval.load(tmp_path / "out" / "retrieval.npz").codes) == 6


def test_half_written_collection_is_encoded_again_and_missing_folder_reported(tiny_run, folder, tmp_path, capsys):
    out = tmp_path / "out"
    encoded(capsys, folder, tiny_run, out)
    (out / "codes.parquet").write_bytes(b"half")
    assert "codes.parquet" in refused(capsys, "encode", folder, "--run", tiny_run, "--out", out, "--add")
    assert encoded(capsys, folder, tiny_run, out)["n"] == 6
    gone = tmp_path / "unplugged"
    assert "unplugged" in refused(capsys, "encode", gone, "--run", tiny_run, "--out", tmp_path / "out")


def test_search_takes_several_files_and_stored_items(tiny_run, folder, capsys):
    run = ["--run", tiny_run, "--json"]
    assert main([*map(str, ["search", folder / "0.png", folder / "1.png", *run])]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["queries"]) == 2 and len(result["hits"]) == 10
    searcher = Searcher(RunDir(tiny_run))
    mean = searcher.embed([open_image(folder / "0.png"), open_image(folder / "1.png")]).mean(0)
    assert [hit["row"] for hit in result["hits"]] == [hit.row for hit in searcher.search(mean, top=10)]
    item = str(result["hits"][0]["id"])
    assert main([*map(str, ["search", "--id", item, *run])]) == 0
    hits = json.loads(capsys.readouterr().out)["hits"]
    assert int(item) in [hit["id"] for hit in hits]
    assert "no query" in refused(capsys, "search", "--id", "nothing", "--run", tiny_run)
    assert "needs an image" in refused(capsys, "search", "--run", tiny_run)
    assert "absent.png" in refused(capsys, "search", folder / "0.png", folder / "absent.png", "--run", tiny_run)


def test_collection_of_another_model_is_refused(tiny_run, folder, tmp_path, capsys):
    out = tmp_path / "out"
    encoded(capsys, folder, tiny_run, out)
    record = json.loads((out / "collection.json").read_text())
    (out / "collection.json").write_text(json.dumps(record | {"model": "0" * 16}))
    search = ["search", folder / "0.png", "--run", tiny_run, "--collection", out]
    assert "another model" in refused(capsys, *search)
    assert "another model" in refused(capsys, "encode", folder, "--run", tiny_run, "--out", out, "--add")
    assert encoded(capsys, folder, tiny_run, out)["n_encoded"] == 6


def items(ids, labels=None, names=(), folder="/a"):
    codes = np.arange(len(ids), dtype=np.uint8)[:, None]
    files = [(f"{folder}/{name}", 1, 1) for name in ids]
    return CollectionItems(np.array(ids), codes, labels, names, files)


def test_joined_ids_are_unique_and_labels_keep_their_names():
    both = joined(items(["x", "b/x"]), items(["x", "y"], folder="/b"))
    assert len(set(both.ids.tolist())) == 4
    assert both.ids.tolist()[:2] == ["x", "b/x"] and "y" in both.ids
    assert NO_FILE not in both.files
    first = items(["x", "y"], np.array([1, -1]), ("cat", "dog"))
    second = items(["z"], np.array([0]), ("bird",), folder="/b")
    both = joined(first, second)
    assert both.class_names == ("bird", "cat", "dog")
    assert both.labels.tolist() == [2, -1, 0]
    several = joined(first, items(["z"], np.array([[1, 1]], np.uint8), ("dog", "sea"), folder="/b"))
    assert several.labels.tolist() == [[0, 1, 0], [0, 0, 0], [0, 1, 1]]
    unlabelled = joined(items(["x"]), second)
    assert unlabelled.labels.tolist() == [-1, 0]
    assert joined(items(["x"]), items(["z"])).labels is None


def test_an_id_is_accepted_in_either_unicode_form(tmp_path, tiny_run, paint, capsys):
    for row, name in enumerate(("cafe\u0301.png", "b.png")):
        paint(tmp_path / "album" / name, row)
    encoded(capsys, tmp_path / "album", tiny_run, tmp_path / "out")
    hits = searched(capsys, tiny_run, tmp_path / "out", "--id", "caf\u00e9.png")
    assert hits[0]["id"] == "cafe\u0301.png"
