"""Threads of a head: as few as are about as fast, measured once; waiting is passive in every process that trains."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from transclipped import machine
from transclipped.config import RunConfig
from transclipped.training import threads
from transclipped.training.threads import fewest, head_threads, suited_threads


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    """Four threads, and a threads.json of its own."""
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.setattr(threads, "cache_dir", lambda: tmp_path)
    yield tmp_path / "threads.json"
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("seconds", "most", "chosen"),
    [
        ({1: 1.0, 2: 0.5, 4: 0.25}, 4, 4),
        ({1: 1.0, 2: 0.5, 4: 0.48}, 4, 2),
        ({1: 1.0, 2: 0.95, 4: 0.1}, 4, 1),
        ({1: 1.0, 2: 3.0}, 4, 1),
        ({1: 1.0, 2: 0.5, 4: 0.3, 6: 0.2}, 6, 6),
        ({1: 1.0}, 1, 1),
    ],
)
def test_more_threads_must_be_worth_it(seconds, most, chosen):
    assert fewest(seconds.__getitem__, most) == chosen


def test_measured_once_for_a_shape_and_remembered(own_machine, monkeypatch):
    measured = []
    monkeypatch.setattr(threads, "_step_seconds", lambda config, width, n: measured.append(n) or 1 / min(n, 2))
    config = RunConfig()
    assert head_threads(config, width=640) == head_threads(config, width=640) == 2
    assert measured == [1, 2, 4]
    head_threads(config, width=64)
    assert len(measured) == 6 and len(json.loads(own_machine.read_text())) == 2
    for damaged in (b"\x00", b"[]", b'{"x": 1}', own_machine.read_bytes().replace(b"2", b"99")):
        own_machine.write_bytes(damaged)
        assert head_threads(config, width=640) == 2


def test_a_step_is_timed_and_the_threads_are_as_before():
    config = replace(RunConfig(), schedule=replace(RunConfig().schedule, batch=8))
    assert 0 < threads._step_seconds(config, 16, 1) < 60
    assert torch.get_num_threads() == 4


def test_a_head_trains_on_its_threads_and_leaves_them_as_they_were(monkeypatch):
    monkeypatch.setattr(threads, "head_threads", lambda config, width: 1)
    with pytest.raises(ZeroDivisionError), suited_threads(RunConfig(), width=8):
        assert torch.get_num_threads() == 1
        raise ZeroDivisionError
    assert torch.get_num_threads() == 4
    large = replace(RunConfig(), schedule=replace(RunConfig().schedule, batch=threads.LARGEST_BATCH + 1))
    with suited_threads(large, width=8):
        assert torch.get_num_threads() == 4


def test_waiting_is_passive_before_torch_is_loaded_and_what_a_person_set_stays(tmp_path):
    code = "import os, sys; from transclipped import cli; cli.wait_passively(); assert 'torch' not in sys.modules; "
    code += "print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'], os.environ['KMP_BLOCKTIME'])"
    free = {name: value for name, value in os.environ.items() if name not in machine.PASSIVE}

    def said(**more):
        return subprocess.run([sys.executable, "-c", code], env=free | more, capture_output=True, text=True).stdout

    assert said().split() == ["PASSIVE", "0", "0"]
    assert said(KMP_BLOCKTIME="7").split() == ["PASSIVE", "0", "7"]


def test_a_process_of_the_app_waits_passively(tmp_path, monkeypatch):
    for name in machine.PASSIVE:
        monkeypatch.delenv(name, raising=False)
    seen = {}
    monkeypatch.setattr(machine.subprocess, "Popen", lambda words, **options: seen.update(options["env"]))
    machine.spawn(["lab"], log=tmp_path / "log.txt")
    assert machine.PASSIVE.items() <= seen.items()
