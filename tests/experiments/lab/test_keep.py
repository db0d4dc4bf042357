"""Saving a head of a sweep as a run: the same head and metrics, in a valid run folder."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from tests.limits import files_up_to, left_over
from transclipped.config import ClippingConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.experiments.lab.keep import keep
from transclipped.experiments.lab.sweep import Sweep, head_file, results, run_sweep
from transclipped.features import labset
from transclipped.models.head import embed_in_batches
from transclipped.models.weights import load_tensors
from transclipped.runs.run import find_runs
from transclipped.runs.uploaded import check
from transclipped.search.searcher import Searcher
from transclipped.utils.files import read_json

SWEEP, CLIPPING = Sweep(amounts=(0.4,)), ClippingConfig(rule="threshold", threshold=0.4)


@pytest.fixture(scope="module")
def lab():
    return labset.load()


@pytest.fixture(autouse=True)
def short(monkeypatch):
    monkeypatch.setattr(labset, "EPOCHS", 2)


@pytest.fixture(scope="module")
def swept(lab, tmp_path_factory):
    """Folder of a finished sweep of three heads."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labset, "EPOCHS", 2)
        run_sweep(lab, SWEEP, folder)
    return folder


@pytest.fixture(scope="module")
def run(lab, swept, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(labset, "EPOCHS", 2)
        return keep(lab, SWEEP, CLIPPING, folder=swept, path=tmp_path_factory.mktemp("runs") / "kept")


def test_run_is_complete_and_passes_the_checks_of_an_upload(run, tmp_path):
    assert [each.name for each in find_runs(run.path.parent)] == ["kept"]
    assert run.status()["state"] == "finished"
    check(shutil.copytree(run.path, tmp_path / "copy"))
    assert run.config.clipping == CLIPPING and run.config.loss.temperature == SWEEP.temperature
    assert run.record["command"].endswith("--run runs/kept") and "--clip-threshold 0.4" in run.record["command"]
    assert run.record["features"] == "lab set, 8 bits"


def test_metrics_are_those_of_the_sweep(run, swept):
    result = next(r for r in results(swept) if r["rule"] == "threshold")
    metrics = run.metrics()
    assert (metrics["k"], metrics["n_database"], metrics["n_queries"]) == (500, 5000, 1000)
    assert metrics["modes"]["asymmetric"]["map"] == pytest.approx(result["map"], abs=2e-3)  # queries have 16 bits
    assert {"asymmetric", "symmetric", "float"} == set(metrics["modes"])
    assert metrics["seconds"]["training"] == result["seconds"]


def test_codes_are_the_heads_codes_of_the_lab_set(run, swept, lab):
    stored, head = run.retrieval(), run.head()
    _, codes = embed_in_batches(head, lab.features[0])
    assert (stored.codes == codes.numpy()).all()
    assert (stored.database_ids == load(run.config.data).ids[lab.rows]).all()
    assert (stored.database_labels == lab.labels).all() and (stored.query_labels == lab.query_labels).all()


def test_embeddings_of_images_agree_with_the_lab_set(run):
    images, stored = load(run.config.data), run.retrieval()
    rows = [int(np.flatnonzero(images.ids == identity)[0]) for identity in stored.query_ids[:20]]
    z = Searcher(run).embed([images.image(row) for row in rows])
    cosine = (z * stored.queries[:20].astype(np.float32)).sum(1) / len(stored.codebooks)
    assert cosine.min() > 0.99  # they differ by rounding only


def test_events_of_the_training_are_saved(run):
    steps, epochs = run.events("step"), run.events("epoch")
    assert len(epochs) == 2 and len(steps) >= 6 and {"loss", "clip_fraction"} <= steps[0].keys()
    assert run.epochs() == [2]


def test_errors_for_heads_that_cannot_be_saved(lab, swept, tmp_path):
    def kept(lab=lab, clipping=CLIPPING, path=tmp_path / "new"):
        return keep(lab, SWEEP, clipping, folder=swept, path=path)

    with pytest.raises(InputError, match="did not keep this head"):
        kept(clipping=replace(CLIPPING, threshold=0.3))
    with pytest.raises(InputError, match="exists already"):
        kept(path=tmp_path)
    for wrong, message in (({"projected": True}, "projected"), ({"fingerprint": "another"}, "other weights")):
        with pytest.raises(InputError, match=message):
            kept(lab=replace(lab, about=lab.about | wrong))
    with pytest.raises(InputError, match="other images"):
        kept(lab=replace(lab, rows=lab.rows[::-1]))
    assert not (tmp_path / "new").exists()


def test_full_disk_or_damaged_events_leave_no_partial_run(lab, swept, tmp_path):
    folder = shutil.copytree(swept, tmp_path / "sweep")
    with files_up_to(20_000), pytest.raises(InputError):
        keep(lab, SWEEP, CLIPPING, folder=folder, path=tmp_path / "runs" / "new")
    head_file(folder, CLIPPING).with_suffix(".json").write_text(json.dumps({"not": "events"}))
    with pytest.raises(InputError, match="damaged"):
        keep(lab, SWEEP, CLIPPING, folder=folder, path=tmp_path / "runs" / "new")
    assert not (tmp_path / "runs" / "new").exists()
    assert not left_over(tmp_path) and not list(tmp_path.rglob("*.run"))


def test_saved_head_is_bit_identical(run, swept):
    ours, theirs = load_tensors(run.path / "model.safetensors"), load_tensors(head_file(swept, CLIPPING))
    assert ours.keys() == theirs.keys() and all((ours[name] == theirs[name]).all() for name in ours)
    assert read_json(run.path / "split.json")["protocol"] == "I"
