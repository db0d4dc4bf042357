"""Bundling: a small copy with the same searches and measurements."""

import json
import shutil

import numpy as np
import pytest
import torch

from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.models.weights import load_tensors
from transclipped.runs.bundle import bundle
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.utils.files import folder_size


@pytest.fixture
def pair(tiny_run, tmp_path):
    """The run and its bundle with 15 of 40 queries and one epoch."""
    run = RunDir(tiny_run)
    return run, bundle(run, tmp_path / "bundled" / "tiny", queries=15, epochs=1)


def test_metrics_settings_and_split_are_copied_and_the_command_is_updated(pair):
    run, small = pair
    assert small.metrics() == {**run.metrics(), "n_queries_stored": 15}
    assert small.metrics()["n_queries"] == 40
    assert small.config == run.config
    assert small.record["data_fingerprint"] == run.record["data_fingerprint"]
    assert small.record["command"].endswith("--run runs/tiny")
    assert (small.path / "split.json").read_bytes() == (run.path / "split.json").read_bytes()


def test_fewer_queries_are_stored_with_their_labels_and_the_whole_database(pair):
    run, small = pair
    before, after = run.retrieval(), small.retrieval()
    assert after.queries.shape == (15, 64)
    rows = [np.flatnonzero(before.query_ids == i).item() for i in after.query_ids]
    np.testing.assert_array_equal(after.queries, before.queries[rows])
    np.testing.assert_array_equal(after.query_labels, before.query_labels[rows])
    for name in ("codebooks", "codes", "database_ids", "database_labels"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_it_is_finished_and_smaller_without_training_state(pair):
    run, small = pair
    assert small.status()["state"] == "finished"
    assert not (small.path / "last.safetensors").exists()
    assert small.epochs() == [1]
    assert folder_size(small.path) < 0.4 * folder_size(run.path)
    assert all(tensor.dtype == torch.float16 for tensor in load_tensors(small.path / "model.safetensors").values())
    torch.testing.assert_close(small.head().projection.weight, run.head().projection.weight, atol=1e-3, rtol=1e-3)


def test_it_searches_as_the_run_does(pair):
    run, small = pair
    image = load(DataConfig()).image(int(run.retrieval().query_ids[0]))
    searchers = Searcher(run), Searcher(small)
    before, after = (searcher.search(searcher.embed([image])[0], top=5) for searcher in searchers)
    assert {hit.id for hit in before} == {hit.id for hit in after}
    assert [hit.score for hit in before] == pytest.approx([hit.score for hit in after], abs=2e-3)


def test_long_logs_become_short_but_keep_epochs_and_states(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "long")
    with (tmp_path / "long" / "events.jsonl").open("a") as file:
        for step in range(5, 3000):
            file.write(json.dumps({"v": 1, "t": 0, "kind": "step", "epoch": step / 4, "step": step}) + "\n")
    run = RunDir(tmp_path / "long")
    small = bundle(run, tmp_path / "small")
    steps = small.events("step")
    assert 60 <= len(steps) <= 240
    assert np.ptp(np.diff([event["step"] for event in steps[1:]])) <= 1  # evenly spaced
    assert small.events("epoch", "state") == run.events("epoch", "state")


def test_few_queries_and_epochs_are_all_stored_but_the_trained_head_once(tiny_run, tmp_path):
    small = bundle(RunDir(tiny_run), tmp_path / "small")
    assert len(small.retrieval().queries) == 40
    assert small.epochs() == [1]  # of two
    shutil.copytree(tiny_run, tmp_path / "chosen")
    metrics = json.loads((tmp_path / "chosen" / "metrics.json").read_text())
    (tmp_path / "chosen" / "metrics.json").write_text(json.dumps(metrics | {"selection": "validation"}))
    assert bundle(RunDir(tmp_path / "chosen"), tmp_path / "other").epochs() == [1, 2]


def test_unfinished_runs_and_existing_folders_are_refused(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "stopped")
    (tmp_path / "stopped" / "status.json").write_text('{"v": 1, "state": "stopped"}')
    with pytest.raises(InputError, match="is not finished"):
        bundle(RunDir(tmp_path / "stopped"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="already exists"):
        bundle(RunDir(tiny_run), tmp_path / "stopped")
