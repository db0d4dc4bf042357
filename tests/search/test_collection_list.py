"""The list of collections: its entries, and skipped folders."""

import json
import os

import pytest

from transclipped.search.collection_list import collections, read

RECORD = {"v": 1, "run": "/runs/a", "model": "m", "n": 3, "seconds": 1.5, "n_encoded": 2, "folders": ["/photos"]}
RECORD["skipped"] = [["x.txt", "no image"]]


def make(home, name, *, made=0, **changes):
    (home / name).mkdir(parents=True)
    path = home / name / "collection.json"
    path.write_text(json.dumps(RECORD | changes))
    os.utime(path, (made, made))
    return home / name


def test_newest_comes_first_with_all_facts(tmp_path):
    make(tmp_path, "old", made=10)
    new = make(tmp_path, "new", made=20, n=7)
    (new / "codes.parquet").write_bytes(bytes(1000))
    entries = collections(tmp_path)
    assert [entry.name for entry in entries] == ["new", "old"]
    first = entries[0]
    assert (first.n, first.run.name, first.made, first.folders) == (7, "a", 20, ("/photos",))
    assert first.bytes == 1000 + (new / "collection.json").stat().st_size
    assert first.skipped == (("x.txt", "no image"),) and (first.n_encoded, first.seconds) == (2, 1.5)


BAD = ({"n": None}, {"skipped": 3}, {"skipped": ["x"]}, {"folders": 1})
DAMAGED = ["", "[]", "null", '"text"', "{}", "{" * 9, *(json.dumps(RECORD | change) for change in BAD)]


@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_collections_are_skipped(tmp_path, text):
    make(tmp_path, "good")
    (make(tmp_path, "bad") / "collection.json").write_text(text)
    assert [entry.name for entry in collections(tmp_path)] == ["good"]


def test_hidden_folders_are_skipped_and_earlier_versions_read(tmp_path):
    make(tmp_path, ".deleted")
    assert collections(tmp_path, tmp_path / "nowhere") == [] and read(tmp_path / "nowhere") is None
    path = make(tmp_path, "old")
    (path / "collection.json").write_text(json.dumps({"run": "r", "model": "m", "n": 1}))
    entry = read(path)
    assert (entry.folders, entry.skipped, entry.n_encoded) == ((), (), 0)
