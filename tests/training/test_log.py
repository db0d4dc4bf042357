"""The log of a training: complete events, and a status that distinguishes running from dead processes."""

import json
import os
import subprocess
import sys
import time

import pytest

from tests import blobs
from tests.limits import files_up_to
from transclipped.config import RunConfig
from transclipped.errors import InputError
from transclipped.runs.run import create
from transclipped.training import log as runlog
from transclipped.training.log import RunLog, trim_events
from transclipped.utils.files import write_json
from transclipped.utils.machine import process_start


@pytest.fixture
def run(tmp_path):
    """A new run."""
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


def test_full_disk_is_reported_and_keeps_complete_events(run, log):
    with files_up_to(500), pytest.raises(InputError, match=r"cannot write .*events\.jsonl.*resume"):
        for step in range(10):
            log.event("step", epoch=0.0, step=step, loss=1.0)
    assert len(run.events()) >= 5  # the complete ones
    assert all(event["loss"] == 1.0 for event in run.events())


# events


def test_events_have_the_fields_of_their_contract(run, log):
    log.event("step", epoch=0.123456789, step=3, loss=1.23456789, codewords=7)
    (event,) = run.events()
    assert set(event) == {"v", "t", "kind", "epoch", "step", "loss", "codewords"}
    assert event["v"] == 1 and abs(event["t"] - time.time()) < 5
    assert (event["kind"], event["epoch"], event["step"]) == ("step", 0.12346, 3)
    assert (event["loss"], event["codewords"]) == (1.23457, 7)


def test_times_of_events_never_decrease_even_if_the_clock_does(run, log, monkeypatch):
    now = time.time()
    for step, clock in enumerate((now, now - 3600, now + 86400, now)):
        monkeypatch.setattr(runlog.time, "time", lambda clock=clock: clock)
        log.event("step", epoch=0.1, step=step)
    times = [event["t"] for event in run.events()]
    assert times == sorted(times) and times[0] == round(now, 3)


def test_heartbeat_is_the_time_of_the_clock(run, log, monkeypatch):
    monkeypatch.setattr(runlog.time, "time", lambda: 12345.0)
    log._write()
    assert json.loads((run.path / "status.json").read_text())["heartbeat"] == 12345.0


def test_epoch_events_are_synced_to_the_disk(run, log, monkeypatch):
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    log.event("step", epoch=0.5, step=1)
    assert not synced
    log.event("epoch", epoch=1.0, step=2)
    assert len(synced) == 1


def test_incomplete_lines_are_skipped(run, log):
    log.event("step", epoch=0.5, step=1)
    path = run.path / "events.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    assert [event["step"] for event in run.events()] == [1]
    path.write_bytes(b"\xff\xfe\n[1]\n" + whole)
    assert [event["step"] for event in run.events("step")] == [1] and run.events("epoch") == []


def test_trimming_removes_later_events(run, log):
    for step in range(1, 6):
        log.event("step", epoch=step / 4, step=step)
    trim_events(run, 3)
    assert [event["step"] for event in run.events()] == [1, 2, 3]
    log.event("step", epoch=1.0, step=4)
    assert [event["step"] for event in run.events()] == [1, 2, 3, 4]


# status


def test_heartbeat_continues_without_other_updates(run, monkeypatch):
    monkeypatch.setattr(runlog, "HEARTBEAT", 0.02)
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
    assert status["heartbeat"] > first and status["state"] == "running"
    assert status["pid"] == os.getpid()
    assert (status["stage"], status["done"], status["total"]) == ("encoding", 3, 9)


@pytest.mark.parametrize("state", ["finished", "stopped", "failed"])
def test_final_state_is_kept(run, state):
    log = RunLog(run)
    assert run.running
    log.end(state, error="what a person can read" if state == "failed" else None, epoch=1.5, step=6)
    log.end("running")  # ignored
    status = run.status()
    assert status["state"] == state
    assert status.get("error") == ("what a person can read" if state == "failed" else None)
    assert not run.running
    last = run.events()[-1]
    assert (last["kind"], last["state"], last["epoch"], last["step"]) == ("state", state, 1.5, 6)


def test_run_without_heartbeat_is_interrupted_unless_its_process_lives(run):
    status = {"v": 1, "state": "running", "pid": dead_process(), "heartbeat": time.time() - 60}
    write_json(run.path / "status.json", status)
    assert run.status()["state"] == "interrupted" and not run.running
    write_json(run.path / "status.json", {**status, "heartbeat": time.time()})
    assert run.status()["state"] == "running"
    assert not run.running  # its process is dead
    write_json(run.path / "status.json", {**status, "pid": os.getpid()})
    assert run.status()["state"] == "running"


def test_reused_process_id_does_not_count_as_running(run):
    log = RunLog(run)
    status = json.loads((run.path / "status.json").read_text())
    assert run.running
    log.end("stopped")  # stops the heartbeat, to simulate a crash
    write_json(run.path / "status.json", status)
    assert run.running and status["started"] == process_start(os.getpid())
    boot, ticks = status["started"].split()
    for other in (f"{boot} {int(ticks) + 1}", f"another-start-of-the-system {ticks}"):
        write_json(run.path / "status.json", {**status, "started": other})
        assert not run.running
        write_json(run.path / "status.json", {**status, "started": other, "heartbeat": time.time() - 60})
        assert run.status()["state"] == "interrupted"


def test_process_id_alone_counts_if_start_times_are_unknown(run, monkeypatch):
    monkeypatch.setattr("transclipped.utils.machine.process_start", lambda pid: None)
    monkeypatch.setattr("transclipped.training.log.process_start", lambda pid: None)
    log = RunLog(run)
    status = json.loads((run.path / "status.json").read_text())
    assert "started" not in status and run.running
    log.end("stopped")
    write_json(run.path / "status.json", {**status, "started": "long ago"})  # a folder that came from elsewhere
    assert run.running


def test_damaged_status_is_reported_and_does_not_block_training(run):
    (run.path / "status.json").write_text('{"state": "run')
    with pytest.raises(InputError, match=r"status\.json"):
        run.status()
    assert not run.running


def test_contract_of_the_stored_status(run):
    log = RunLog(run)
    log.end("finished")
    assert set(json.loads((run.path / "status.json").read_text())) == {"v", "state", "pid", "heartbeat"}
