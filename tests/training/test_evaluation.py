"""Measuring a run: the metrics equal those of a full sort, and the stored arrays reproduce them."""

import errno
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.limits import files_up_to, left_over
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.runs.session import prepare, trained_model
from transclipped.training import evaluation
from transclipped.training.evaluation import measure, measure_locked, measure_stored, quick_map
from transclipped.training.train import run_training
from transclipped.utils.files import hold


@pytest.fixture
def run(tiny_run, tmp_path):
    """A copy of the finished run."""
    shutil.copytree(tiny_run, tmp_path / "run")
    return RunDir(tmp_path / "run")


def mean_ap_by_sorting(scores, relevant, k):
    """mAP@K by loops; ties in order of database row."""
    total = 0.0
    for row, truth in zip(scores, relevant, strict=True):
        order = sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]
        hits, precision = 0, 0.0
        for rank, i in enumerate(order, start=1):
            if truth[i]:
                hits += 1
                precision += hits / rank
        total += precision / hits if hits else 0.0
    return total / len(scores)


def scores_of(stored, queries):
    """Scores rounded well below differences between codes and well above float32's noise."""
    m, _, d = stored.codebooks.shape
    tables = np.einsum("qmd,mkd->qmk", queries.reshape(-1, m, d).astype(np.float64), stored.codebooks)
    return np.round(sum(tables[:, i, stored.codes[:, i]] for i in range(m)) / m, 7)


def test_map_is_that_of_a_full_sort(run):
    stored, metrics = run.retrieval(), run.metrics()
    relevant = stored.query_labels[:, None] == stored.database_labels
    expected = mean_ap_by_sorting(scores_of(stored, stored.queries), relevant, metrics["k"])
    assert metrics["modes"]["asymmetric"]["map"] == pytest.approx(expected, abs=1e-5)
    m, _, d = stored.codebooks.shape
    parts = stored.queries.reshape(-1, m, d).astype(np.float32)
    codes = np.einsum("qmd,mkd->qmk", parts, stored.codebooks).argmax(-1)
    coded = np.stack([stored.codebooks[i, codes[:, i]] for i in range(m)], 1)
    expected = mean_ap_by_sorting(scores_of(stored, coded), relevant, metrics["k"])
    assert metrics["modes"]["symmetric"]["map"] == pytest.approx(expected, abs=1e-5)


def test_metrics_follow_their_contract(run):
    metrics = json.loads((run.path / "metrics.json").read_text())
    keys = "k n_queries n_queries_stored n_database label_kind selection bytes_per_item seconds modes"
    assert set(metrics) == set(keys.split())
    assert (metrics["label_kind"], metrics["selection"], metrics["k"]) == ("single", "last", 200)
    assert {"training", "encoding", "measuring"} <= set(metrics["seconds"])
    for mode in metrics["modes"].values():
        assert set(mode) == {"map", "map_tie_aware", "precision", "recall", "precision_recall", "per_class"}
        assert len(mode["per_class"]) == len(np.unique(run.retrieval().query_labels))
        for values in (mode["precision"]["value"], mode["recall"]["value"], mode["per_class"].values()):
            assert all(0 <= value <= 1 for value in values)
        assert mode["recall"]["value"] == sorted(mode["recall"]["value"])
        assert mode["recall"]["value"][-1] == pytest.approx(1)  # K is the whole database
        assert mode["precision_recall"]["bins"] == 4096


def test_measuring_again_gives_the_same_and_yields_progress(run):
    before = run.metrics()
    steps = [p for p in measure(prepare(run.config), run, seconds=before["seconds"]) if p.what == "measuring"]
    after = RunDir(run.path).metrics()
    assert after["modes"] == before["modes"]
    assert after["seconds"]["training"] == before["seconds"]["training"]
    assert [(p.done, p.total) for p in steps] == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_another_k_measures_less(run):
    list(measure(prepare(replace(run.config, k=7)), run))
    metrics = run.metrics()
    assert metrics["k"] == 7 and metrics["modes"]["asymmetric"]["precision"]["k"][-1] == 7
    assert measure_stored(run)["k"] == 7 and measure_stored(run, k=10_000)["k"] == 200


def test_stored_queries_give_the_same_metrics_and_nothing_is_written(run):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    modes = run.metrics()["modes"]
    assert measure_stored(run)["modes"] == {mode: modes[mode] for mode in ("asymmetric", "symmetric")}
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_quick_map_is_the_asymmetric_map(run):
    session = prepare(run.config)
    head = trained_model(run, backbone=session.backbone)[1]
    list(session.cache.fill(0, session.split.query))
    plain, split, labels = session.cache.view(0), session.split, session.images.labels
    both = {"query_labels": labels[split.query], "database_labels": labels[split.database]}
    result = quick_map(head, plain[split.query], plain[split.database], **both, k=200)
    assert result == pytest.approx(run.metrics()["modes"]["asymmetric"]["map"], abs=1e-3)  # queries are stored as half


def test_bundled_runs_are_rejected_before_any_computation(run, monkeypatch):
    monkeypatch.setattr(evaluation, "ASSETS", run.path.parent)
    for start in (measure, measure_locked):
        with pytest.raises(InputError, match="read-only"):
            next(start(None, run))


def test_read_only_or_locked_runs_are_rejected_before_any_computation(run, monkeypatch):
    with hold(run.path), pytest.raises(InputError, match="is being written by process"):
        next(measure_locked(None, run))

    def refuse(*a, **k):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("transclipped.utils.machine.FileLock.acquire", refuse)
    with pytest.raises(InputError, match=f"cannot write {run.path}"):
        next(measure_locked(None, run))


def test_full_disk_keeps_the_earlier_metrics(run):
    before = {name: (run.path / name).read_bytes() for name in ("metrics.json", "retrieval.npz")}
    session = prepare(replace(run.config, k=9))
    with files_up_to(5_000), pytest.raises(InputError, match=r"cannot write .*retrieval\.npz.*free some space"):
        list(measure(session, run))
    assert {name: (run.path / name).read_bytes() for name in before} == before
    assert not left_over(run.path)


def test_without_labels_there_are_codes_and_no_metrics(tiny, tmp_path):
    images, cifar = tmp_path / "images", load(DataConfig())
    images.mkdir()
    for row in range(40):
        (images / f"{row}.png").write_bytes(cifar.encoded(row))
    config = tiny(data=DataConfig(dataset="folder", data=str(images)))
    config = replace(config, schedule=replace(config.schedule, batch=20, epochs=1))
    list(run_training(config, tmp_path / "run"))
    run = RunDir(tmp_path / "run")
    assert run.metrics()["label_kind"] == "none" and run.metrics()["modes"] == {}
    assert run.retrieval().database_labels is None and len(run.retrieval().codes) == 36
    assert measure_stored(run)["modes"] == {}
    assert not any({"clip_precision", "validation_map"} & set(event) for event in run.events())


def test_one_hot_labels_give_the_same_metrics_as_single_labels(run):
    single, expected = run.retrieval(), measure_stored(run)
    ones = np.eye(10, dtype=np.uint8)
    multi = {name: ones[getattr(single, name)] for name in ("database_labels", "query_labels")}
    Retrieval(**{**vars(single), **multi}).save(run.path / "retrieval.npz")
    result = measure_stored(run)
    assert result["label_kind"] == "multi" and result["modes"] == expected["modes"]
