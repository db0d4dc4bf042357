"""The run directory: files are written completely or not at all, and damage is reported."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import blobs
from tests.limits import files_up_to, left_over
from transclipped.config import QuantizerConfig, RunConfig
from transclipped.errors import InputError
from transclipped.models.weights import save_tensors
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir, check_free, create, find_runs, is_vacant, remove_vacant, write_config
from transclipped.training.log import RunLog
from transclipped.utils.files import ASSETS, hold, write_json


def retrieval(n=30, q=5, labels=True):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(2, 16, 4)).astype(np.float32)
    codes = rng.integers(16, size=(n, 2)).astype(np.uint8)
    queries = rng.normal(size=(q, 8)).astype(np.float16)
    label_arrays = (rng.integers(3, size=n), rng.integers(3, size=q)) if labels else (None, None)
    return Retrieval(codebooks, codes, np.arange(n), queries, np.arange(q) + n, *label_arrays)


@pytest.fixture
def run(tmp_path):
    """A run that has just been created."""
    return create(tmp_path / "run", RunConfig(quantizer=blobs.QUANTIZER), resume=False, overwrite=False)


# what is stored for retrieval


@pytest.mark.parametrize("labels", [True, False])
def test_retrieval_is_restored(tmp_path, labels):
    stored = retrieval(labels=labels)
    stored.save(tmp_path / "retrieval.npz")
    loaded = Retrieval.load(tmp_path / "retrieval.npz")
    for name, value in vars(stored).items():
        loaded_value = getattr(loaded, name)
        np.testing.assert_array_equal(loaded_value, value)
        assert value is None or loaded_value.dtype == value.dtype


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_truncated_retrieval_is_reported(tmp_path, keep):
    path = tmp_path / "retrieval.npz"
    retrieval().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: keep if isinstance(keep, int) else int(keep * len(whole))])
    with pytest.raises(InputError, match=r"retrieval\.npz is damaged.*run `evaluate`"):
        Retrieval.load(path)


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "sprung"),))

    objects = np.empty(1, object)
    objects[0] = Trap()
    np.savez(tmp_path / "retrieval.npz", codebooks=objects)
    (tmp_path / "pickled.npz").write_bytes(pickle.dumps(Trap()))
    for name in ("retrieval.npz", "pickled.npz"):
        with pytest.raises(InputError, match="damaged"):
            Retrieval.load(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("codes", np.zeros((30, 3), np.uint8)),
        ("codes", np.zeros((29, 2), np.uint8)),
        ("codes", np.full((30, 2), 16, np.uint8)),
        ("codes", np.zeros((30, 2), np.int64)),
        ("codebooks", np.zeros((2, 16), np.float32)),
        ("queries", np.zeros((5, 7), np.float16)),
        ("query_ids", np.arange(6)),
        ("database_labels", np.zeros(29, np.int64)),
        ("query_labels", np.zeros((6, 3), np.uint8)),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(tmp_path, name, wrong):
    stored = Retrieval(**{**vars(retrieval()), name: wrong})
    stored.save(tmp_path / "retrieval.npz")
    with pytest.raises(InputError, match="do not fit together"):
        Retrieval.load(tmp_path / "retrieval.npz")


# a full disk


@pytest.mark.parametrize("old", [True, False])
def test_full_disk_leaves_the_old_file_or_none(tmp_path, old):
    arrays = Retrieval(**{**vars(retrieval()), "codebooks": np.random.default_rng(0).normal(size=(2, 4096, 4))})
    tensors = {"weight": torch.zeros(300, 300)}
    writers = {
        "retrieval.npz": lambda path: arrays.save(path),
        "model.safetensors": lambda path: save_tensors(path, tensors),
        "metrics.json": lambda path: write_json(path, {"value": list(range(20_000))}),
    }
    for name, write in writers.items():
        if old:
            (tmp_path / name).write_bytes(b"old")
        with files_up_to(10_000), pytest.raises(InputError, match=rf"cannot write .*{name}.*free some space"):
            write(tmp_path / name)
        assert (tmp_path / name).exists() == old
        assert not old or (tmp_path / name).read_bytes() == b"old"
    assert not left_over(tmp_path)


# creating and reading


def test_neither_a_run_nor_other_files_are_overwritten(run, tmp_path):
    with pytest.raises(InputError, match=r"holds a run already.*--resume.*--overwrite"):
        create(run.path, RunConfig(), resume=False, overwrite=False)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds other files"):
            create(tmp_path / "photos", RunConfig(), resume=False, overwrite=overwrite)
    assert (tmp_path / "photos" / "holiday.jpg").exists()


LEFT = {  # leftovers of a training killed at its start, or of a power cut
    "nothing": {},
    "epochs": {"epochs/.1.safetensors.4000000.tmp": b"half"},
    "all": {"stop": b"", "lock": b"4000000", "log.txt": b"words", "status.json": b"{}", ".config.json.9.tmp": b"{"},
    "empty settings": {"config.json": b"", "epochs/.keep.tmp": b""},
    "torn settings": {"config.json": b'{"v": 1, "data"', "status.json": b'{"state": "running", "pid": 4194300}'},
    "nulls": {"config.json": b"\0" * 512},
}
OF_VALUE = {
    "settings": {"config.json": b'{"v": 1}'},
    "a head": {"config.json": b"", "epochs/1.safetensors": b"x"},
    "a model": {"config.json": b"", "model.safetensors": b"x"},
    "a photograph": {"holiday.jpg": b"x"},
    "waiting": {"queued.json": b"{}"},
}


def fill(folder, content):
    folder.mkdir()
    for name, data in content.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize("name", LEFT)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_name_with_nothing_of_value_is_free(name, overwrite, tmp_path):
    path = fill(tmp_path / "run", LEFT[name])
    assert is_vacant(path)
    check_free(path, resume=False, overwrite=overwrite)
    assert create(path, RunConfig(seed=4), resume=False, overwrite=overwrite).config.seed == 4
    assert not is_vacant(path)


@pytest.mark.parametrize("name", LEFT)
def test_a_vacant_folder_can_be_removed_unless_it_is_held_or_fills(name, tmp_path):
    path = fill(tmp_path / "run", LEFT[name])
    with hold(path):
        remove_vacant(path)
        assert path.exists()
        with pytest.raises(InputError, match=f"process {os.getpid()}"):
            check_free(path, resume=False, overwrite=False)
    remove_vacant(path)
    assert not path.exists()
    remove_vacant(path)


@pytest.mark.parametrize("name", OF_VALUE)
def test_a_folder_with_something_of_value_is_not_free(name, tmp_path):
    path = fill(tmp_path / "run", OF_VALUE[name])
    assert not is_vacant(path)
    remove_vacant(path)
    with pytest.raises(InputError):
        check_free(path, resume=False, overwrite=False)
    assert {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()} == set(OF_VALUE[name])


def test_overwriting_deletes_the_settings_last(run, monkeypatch):
    for name in ("metrics.json", "events.jsonl", "a.txt", "z.txt"):
        (run.path / name).touch()
    monkeypatch.setattr("transclipped.runs.run.write_config", lambda *a: pytest.fail("killed here"))
    deleted, unlink = [], Path.unlink
    monkeypatch.setattr(Path, "unlink", lambda self, **k: deleted.append(self.name) or unlink(self, **k))
    with pytest.raises(BaseException, match="killed here"):
        create(run.path, RunConfig(), resume=False, overwrite=True)
    assert deleted[-1] == "config.json" and len(deleted) == 5


def test_overwriting_leaves_nothing_of_the_old_run(run):
    (run.path / "metrics.json").write_text("{}")
    fresh = create(run.path, RunConfig(seed=5), resume=False, overwrite=True)
    assert fresh.config.seed == 5
    assert fresh.metrics() is None


def test_running_and_bundled_runs_are_left_alone(run):
    log = RunLog(run)
    with pytest.raises(InputError, match=f"process {os.getpid()}"):
        create(run.path, RunConfig(), resume=True, overwrite=False)
    log.end("stopped")
    create(run.path, RunConfig(), resume=True, overwrite=False)
    with pytest.raises(InputError, match="read-only"):
        create(ASSETS / "runs" / "mine", RunConfig(), resume=False, overwrite=True)
    assert not (ASSETS / "runs" / "mine").exists()


def test_settings_come_back_from_a_run(run):
    config = RunConfig(quantizer=QuantizerConfig(bits=16), seed=3)
    write_config(run.path, config, data_fingerprint="0123456789abcdef")
    again = RunDir(run.path)
    assert again.config == config
    assert again.record["data_fingerprint"] == "0123456789abcdef"
    assert "--bits 16" in again.record["command"]
    assert "--seed 3" in again.record["command"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a JSON object"),
        ('{"v": 9}', "not of this version"),
        ('{"v": 1, "seed": "three"}', "seed is 'three'"),
        ('{"v": 1, "quantizer": {"bits": 7}}', "bits is 7"),
        ('{"v": 1, "quantizer": {"colour": 1}}', "no setting colour"),
    ],
)
def test_damaged_settings_are_reported(run, text, message):
    (run.path / "config.json").write_text(text)
    with pytest.raises(InputError, match=message):
        _ = RunDir(run.path).config


def test_a_missing_run_is_reported_with_the_command_that_creates_one(tmp_path):
    with pytest.raises(InputError, match=r"is not a run.*train --run"):
        _ = RunDir(tmp_path / "nothing").record


def test_fingerprint_changes_with_model_and_metrics(run):
    fingerprints = {run.fingerprint}
    for name in ("config.json", "model.safetensors", "retrieval.npz", "metrics.json"):
        path = run.path / name
        path.write_text((path.read_text() if path.exists() else "") + " ")
        fingerprints.add(run.fingerprint)
    assert len(fingerprints) == 5
    (run.path / "events.jsonl").write_text("{}")
    assert run.fingerprint in fingerprints


def test_runs_are_listed_newest_first(tmp_path):
    for age, name in enumerate(("new", "middle", "old")):
        create(tmp_path / "runs" / name, RunConfig(), resume=False, overwrite=False)
        os.utime(tmp_path / "runs" / name / "config.json", (10_000 - age, 10_000 - age))
    (tmp_path / "runs" / "no-run").mkdir()
    assert [run.name for run in find_runs(tmp_path / "runs", tmp_path / "nowhere")] == ["new", "middle", "old"]


def test_heads_are_read_by_epoch_and_other_shapes_refused(run):
    head = blobs.head(run.config)
    for epoch in (10, 9, 2):
        half = {name: tensor.half() for name, tensor in head.state_dict().items()}
        save_tensors(run.path / "epochs" / f"{epoch}.safetensors", half)
    (run.path / "epochs" / "notes.safetensors").touch()
    assert run.epochs() == [2, 9, 10]
    torch.testing.assert_close(run.head(epoch=9).projection.weight, head.projection.weight, atol=1e-3, rtol=1e-3)
    with pytest.raises(InputError, match=r"model\.safetensors does not exist"):
        run.head()
    save_tensors(run.path / "model.safetensors", {**head.state_dict(), "quantizer.codebooks": torch.zeros(4, 16, 4)})
    with pytest.raises(InputError, match=r"quantizer\.codebooks of shape \[4, 16, 4\].*\[2, 16, 4\]"):
        run.head()
    (run.path / "model.safetensors").write_bytes((run.path / "epochs" / "9.safetensors").read_bytes()[:-9])
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        run.head()
