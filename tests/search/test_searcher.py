"""What a search says of its hits: where their files lie, in sets that are files."""

import shutil
from pathlib import Path

import pytest

from tests.datasets.test_flickr25k import NAMES, write_lists
from transclipped.cli import main
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher


@pytest.fixture(scope="module")
def listed_run(tmp_path_factory):
    """Path of a run over 40 images that lists name, some of them in a folder of their own; and their folder."""
    from transclipped.config import DataConfig
    from transclipped.datasets.registry import load

    root, photographs = tmp_path_factory.mktemp("flickr"), load(DataConfig(dataset="caltech101"))
    for row, name in enumerate(NAMES):
        path = root / ("mirflickr" if row % 2 else "mirflickr/more") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photographs.encoded(row * 50))
    write_lists(root)
    run = tmp_path_factory.mktemp("runs") / "listed"
    flags = ["--dataset", "flickr25k", "--data", root, "--backbone", "efficientnet-lite0", "--image-size", "32"]
    flags += ["--epochs", "1", "--views", "2", "--batch", "16", "--run", run]
    assert main(["train", *map(str, flags)]) == 0
    return run, root


def test_hits_of_a_listed_set_have_the_path_of_their_file_while_it_exists(listed_run, tmp_path):
    run, root = listed_run
    searcher = Searcher(RunDir(run))
    hits = searcher.search(searcher.stored.queries[0], top=20)
    assert len(hits) == 20
    for hit in hits:
        row = NAMES.index(hit.id)
        assert Path(hit.path) == root.resolve() / ("mirflickr" if row % 2 else "mirflickr/more") / hit.id
    before = [hit.id for hit in Searcher(RunDir(run)).search(RunDir(run).retrieval().queries[0], top=5)]
    away = shutil.move(root, tmp_path / "away")
    try:
        hits = Searcher(RunDir(run)).search(RunDir(run).retrieval().queries[0], top=5)
    finally:
        shutil.move(away, root)
    assert [hit.id for hit in hits] == before and {hit.path for hit in hits} == {None}


def test_images_that_are_no_files_have_no_path(tiny_run):
    searcher = Searcher(RunDir(tiny_run))
    assert {hit.path for hit in searcher.search(searcher.stored.queries[0], top=5)} == {None}


def test_an_item_named_first_leads_all_items_of_its_code(tiny_run):
    searcher = Searcher(RunDir(tiny_run))
    searcher.stored.codes[:] = searcher.stored.codes[7]
    searcher = Searcher(RunDir(tiny_run), stored=searcher.stored)
    last = str(searcher.stored.database_ids[-1])
    query = searcher.item(last)
    assert str(searcher.search(query, top=5)[0].id) != last
    hits = searcher.search(query, top=5, first=[last, "no such image"])
    assert str(hits[0].id) == last and [hit.rank for hit in hits] == [1, 2, 3, 4, 5]
    assert len({hit.id for hit in hits}) == 5 and {hit.score for hit in hits} == {hits[0].score}
