"""The run directory: what is written is whole or not there, and whatever is damaged is told in one sentence."""

import json
import os
import pickle
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

from tests.limits import files_up_to, left_over
from tests.training import blobs
from transclipped.config import QuantizerConfig, RunConfig
from transclipped.errors import InputError
from transclipped.files import ASSETS, write_json
from transclipped.machine import process_start
from transclipped.models.weights import save_tensors
from transclipped.training import run as module
from transclipped.training.run import Retrieval, RunDir, RunLog, create, find_runs, trim_events, write_config


def retrieval(n=30, q=5, labels=True):
    rng = np.random.default_rng(0)
    codebooks = rng.normal(size=(2, 16, 4)).astype(np.float32)
    codes = rng.integers(16, size=(n, 2)).astype(np.uint8)
    queries = rng.normal(size=(q, 8)).astype(np.float16)
    known = (rng.integers(3, size=n), rng.integers(3, size=q)) if labels else (None, None)
    return Retrieval(codebooks, codes, np.arange(n), queries, np.arange(q) + n, *known)


@pytest.fixture
def run(tmp_path):
    """A run that has only begun."""
    return create(tmp_path / "run", RunConfig(quantizer=blobs.QUANTIZER), resume=False, overwrite=False)


@pytest.fixture
def log(run):
    log = RunLog(run)
    yield log
    log.end("finished")


def dead_process():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


# what is stored for retrieval


@pytest.mark.parametrize("labels", [True, False])
def test_retrieval_comes_back_as_it_was(tmp_path, labels):
    stored = retrieval(labels=labels)
    stored.save(tmp_path / "retrieval.npz")
    found = Retrieval.load(tmp_path / "retrieval.npz")
    for name, value in vars(stored).items():
        if value is None:
            assert getattr(found, name) is None
        else:
            np.testing.assert_array_equal(getattr(found, name), value)
            assert getattr(found, name).dtype == value.dtype


@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, 0.99])
def test_truncated_retrieval_is_told(tmp_path, keep):
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


def test_events_that_do_not_fit_on_the_disk_are_told(run, log):
    told = pytest.raises(InputError, match=r"cannot write .*events\.jsonl.*free some space, then resume")
    with files_up_to(500), told:
        for step in range(10):
            log.event("step", epoch=0.0, step=step, loss=1.0)
    assert len(run.events()) >= 5  # all that were whole, none of them broken
    assert all(event["loss"] == 1.0 for event in run.events())


# events


def test_events_have_the_fields_of_their_contract(run, log):
    log.event("step", epoch=0.123456789, step=3, loss=1.23456789, codewords=7)
    (event,) = run.events()
    assert set(event) == {"v", "t", "kind", "epoch", "step", "loss", "codewords"}
    assert event["v"] == 1
    assert abs(event["t"] - time.time()) < 5
    assert (event["kind"], event["epoch"], event["step"]) == ("step", 0.12346, 3)
    assert (event["loss"], event["codewords"]) == (1.23457, 7)


def test_a_torn_line_is_passed_over(run, log):
    log.event("step", epoch=0.5, step=1)
    path = run.path / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [event["step"] for event in run.events()] == [1]
    path.write_bytes(b"\xff\xfe\n[1]\n" + whole)
    assert [event["step"] for event in run.events("step")] == [1]
    assert run.events("epoch") == []


def test_trimming_drops_what_will_be_done_again(run, log):
    for step in range(1, 6):
        log.event("step", epoch=step / 4, step=step)
    trim_events(run, 3)
    assert [event["step"] for event in run.events()] == [1, 2, 3]
    log.event("step", epoch=1.0, step=4)
    assert [event["step"] for event in run.events()] == [1, 2, 3, 4]


# status


def test_heartbeat_goes_on_while_nothing_else_happens(run, monkeypatch):
    monkeypatch.setattr(module, "HEARTBEAT", 0.02)
    log = RunLog(run)
    try:
        first = run.status()["heartbeat"]
        log.stage("encoding", done=3, total=9)
        deadline = time.monotonic() + 20
        while run.status()["heartbeat"] <= first + 0.05 and time.monotonic() < deadline:
            time.sleep(0.02)
        status = run.status()
    finally:
        log.end("finished")
    assert status["heartbeat"] > first
    assert status["state"] == "running"
    assert status["pid"] == os.getpid()
    assert (status["stage"], status["done"], status["total"]) == ("encoding", 3, 9)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_last_words_stay(run, state):
    log = RunLog(run)
    assert run.running
    log.end(state, error="what a person can read" if state == "failed" else None, epoch=1.5, step=6)
    log.end("running")  # too late
    status = run.status()
    assert status["state"] == state
    assert status.get("error") == ("what a person can read" if state == "failed" else None)
    assert not run.running
    last = run.events()[-1]
    assert (last["kind"], last["state"], last["epoch"], last["step"]) == ("state", state, 1.5, 6)


def test_silent_dead_run_is_interrupted_and_a_quiet_living_one_is_not(run):
    status = {"v": 1, "state": "running", "pid": dead_process(), "heartbeat": time.time() - 60}
    write_json(run.path / "status.json", status)
    assert run.status()["state"] == "interrupted"
    assert not run.running
    write_json(run.path / "status.json", {**status, "heartbeat": time.time()})
    assert run.status()["state"] == "running"
    assert not run.running  # nobody needs to wait for a dead process
    write_json(run.path / "status.json", {**status, "pid": os.getpid()})
    assert run.status()["state"] == "running"


def test_another_process_that_got_the_number_of_a_dead_one_does_not_count(run):
    log = RunLog(run)
    status = json.loads((run.path / "status.json").read_text())
    assert run.running
    log.end("stopped")  # so that it writes no more; what follows is as after a crash
    write_json(run.path / "status.json", status)
    assert run.running
    assert status["started"] == process_start(os.getpid())
    boot, ticks = status["started"].split()
    for other in (f"{boot} {int(ticks) + 1}", f"another-start-of-the-system {ticks}"):
        write_json(run.path / "status.json", {**status, "started": other})
        assert not run.running
        write_json(run.path / "status.json", {**status, "started": other, "heartbeat": time.time() - 60})
        assert run.status()["state"] == "interrupted"


def test_where_the_system_does_not_tell_when_a_process_began_its_number_counts(run, monkeypatch):
    monkeypatch.setattr("transclipped.machine.process_start", lambda pid: None)
    monkeypatch.setattr("transclipped.training.run.process_start", lambda pid: None)
    log = RunLog(run)
    status = json.loads((run.path / "status.json").read_text())
    assert "started" not in status and run.running
    log.end("stopped")
    write_json(run.path / "status.json", {**status, "started": "long ago"})  # a folder that came from elsewhere
    assert run.running


def test_damaged_status_is_told_and_keeps_nobody_from_training(run):
    (run.path / "status.json").write_text('{"state": "run')
    with pytest.raises(InputError, match=r"status\.json is not valid JSON"):
        run.status()
    assert not run.running


# creating and reading


def test_a_run_is_neither_overwritten_nor_mixed_with_other_files(run, tmp_path):
    for options in ({"resume": False, "overwrite": False},):
        with pytest.raises(InputError, match=r"holds a run already.*--resume.*--overwrite"):
            create(run.path, RunConfig(), **options)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds other files"):
            create(tmp_path / "photos", RunConfig(), resume=False, overwrite=overwrite)
    assert (tmp_path / "photos" / "holiday.jpg").exists()


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


def test_asking_to_stop_is_forgotten_when_training_goes_on(run):
    run.ask_to_stop()
    create(run.path, RunConfig(), resume=True, overwrite=False)
    assert not (run.path / module.STOP_FILE).exists()


def test_settings_come_back_from_a_run(run):
    config = RunConfig(quantizer=QuantizerConfig(bits=16), seed=3)
    write_config(run.path, config, data_fingerprint="0123456789abcdef")
    again = RunDir(run.path)
    assert again.config == config
    assert again.record["data_fingerprint"] == "0123456789abcdef"
    assert "--bits 16" in again.record["command"]
    assert "--seed 3" in again.record["command"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not valid JSON"),
        ("[]", "not of this version"),
        ('{"v": 9}', "not of this version"),
        ('{"v": 1, "seed": "three"}', "seed is 'three'"),
        ('{"v": 1, "quantizer": {"bits": 7}}', "bits is 7"),
        ('{"v": 1, "quantizer": {"colour": 1}}', "no setting colour"),
    ],
)
def test_damaged_settings_are_told(run, text, said):
    (run.path / "config.json").write_text(text)
    with pytest.raises(InputError, match=said):
        _ = RunDir(run.path).config


def test_no_run_is_told_with_the_command_that_makes_one(tmp_path):
    with pytest.raises(InputError, match=r"is not a run.*train --run"):
        _ = RunDir(tmp_path / "nothing").record


def test_fingerprint_changes_with_what_was_trained_and_measured(run):
    seen = {run.fingerprint}
    for name in ("config.json", "model.safetensors", "retrieval.npz", "metrics.json"):
        path = run.path / name
        path.write_text((path.read_text() if path.exists() else "") + " ")
        seen.add(run.fingerprint)
    assert len(seen) == 5
    (run.path / "events.jsonl").write_text("{}")
    assert run.fingerprint in seen


def test_runs_are_found_newest_first(tmp_path):
    for age, name in enumerate(("new", "middle", "old")):
        create(tmp_path / "runs" / name, RunConfig(), resume=False, overwrite=False)
        os.utime(tmp_path / "runs" / name / "config.json", (10_000 - age, 10_000 - age))
    (tmp_path / "runs" / "no-run").mkdir()
    assert [run.name for run in find_runs(tmp_path / "runs", tmp_path / "nowhere")] == ["new", "middle", "old"]


def test_heads_are_read_by_epoch_and_those_of_another_shape_refused(run):
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


def test_contract_of_the_stored_status(run):
    log = RunLog(run)
    log.end("finished")
    assert set(json.loads((run.path / "status.json").read_text())) == {"v", "state", "pid", "heartbeat"}
