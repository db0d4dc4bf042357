"""Threads of a head: the smallest number that is about as fast, tried again during training; passive waiting."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from transclipped.training import threads
from transclipped.training.threads import EVERY, TRIAL, Choice, on_fastest_threads
from transclipped.training.trainer import Event
from transclipped.utils import machine


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def chosen(seconds: dict[int, float], most: int, *, choice: Choice | None = None) -> int:
    """The choice after a trial on a machine where a step takes `seconds`, by number of threads."""
    choice = choice or Choice(most)
    for _ in range(TRIAL * (most.bit_length() + 1)):
        choice.record(seconds[choice.threads])
    return choice.threads


@pytest.mark.parametrize(
    ("seconds", "most", "best"),
    [
        ({1: 1.0, 2: 0.5, 4: 0.25}, 4, 4),
        ({1: 1.0, 2: 0.5, 4: 0.49}, 4, 2),
        ({1: 1.0, 2: 0.97, 4: 0.1}, 4, 1),
        ({1: 1.0, 2: 3.0}, 4, 1),
        ({1: 1.0, 2: 0.5, 4: 0.3, 6: 0.2}, 6, 6),
        ({1: 1.0}, 1, 1),
    ],
)
def test_more_threads_must_be_clearly_faster(seconds, most, best):
    assert chosen(seconds, most) == best


def test_one_slow_step_is_ignored_and_a_busy_machine_is_noticed():
    choice = Choice(2)
    for index in range(TRIAL * 2):  # a disturbance in each half of the trial
        choice.record({1: 1.0, 2: 0.6}[choice.threads] + (9.0 if index % TRIAL == 1 else 0.0))
    assert choice.threads == 2
    busy, counts = {1: 1.1, 2: 6.0}, []
    for _ in range(EVERY):
        counts.append(choice.threads)
        choice.record(busy[choice.threads])
    assert counts[-1] == 1 and counts.count(2) == 2 * TRIAL  # until it was noticed, and in the trial that followed
    for _ in range(2 * EVERY):
        counts.append(choice.threads)
        choice.record({1: 1.0, 2: 0.6}[choice.threads])
    assert counts[-1] == 2


def events(seen: list[int]):
    """Steps and ends of epochs; appends the number of threads of each step to `seen`."""
    for step in range(1, 3 * EVERY):
        seen.append(torch.get_num_threads())
        yield Event("step", step / 10, step, 3 * EVERY, {"loss": 1.0})
        if step % 10 == 0:
            yield Event("epoch", step / 10, step, 3 * EVERY, {})


def test_events_are_unchanged_and_threads_restored_between_them(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(threads.time, "perf_counter", lambda: next(clock) * (1.0 / torch.get_num_threads()))
    seen, passed = [], []
    for event in on_fastest_threads(events(seen)):
        assert torch.get_num_threads() == 4
        passed.append(event)
    assert passed == list(events([]))
    assert seen[0] == 1 and set(seen) == {1, 2, 4} and torch.get_num_threads() == 4


def test_threads_are_restored_after_a_failure_or_an_early_end():
    def failing():
        yield Event("step", 0.1, 1, 2, {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(on_fastest_threads(failing()))
    assert torch.get_num_threads() == 4
    stopped = on_fastest_threads(events([]))
    next(stopped)
    stopped.close()
    assert torch.get_num_threads() == 4


def test_a_head_is_the_same_on_any_number_of_threads():
    from transclipped.config import ClippingConfig
    from transclipped.experiments.lab import sweep
    from transclipped.features import labset

    lab = labset.load()
    config = labset.lab_config(lab, clipping=ClippingConfig(rule="adaptive"), temperature=0.3)

    def state(count):
        torch.set_num_threads(count)
        weights = {}

        def watch(event, head):
            weights.update({name: value.clone() for name, value in head.state_dict().items()})
            if event.step == 30:
                raise StopIteration

        with pytest.raises(StopIteration):
            sweep.train_head(lab, config, watch=watch)
        return weights

    one, two = state(1), state(2)
    assert all(torch.equal(one[name], two[name]) for name in one)


def environment_of(code: str, **more: str) -> list[str]:
    """OpenMP's variables after `code`, in a process that starts without any."""
    code += "; import os; print([os.environ.get(n) for n in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')])"
    free = {name: value for name, value in os.environ.items() if name not in machine.PASSIVE}
    done = subprocess.run([sys.executable, "-c", code], env=free | more, capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_waiting_is_passive_before_torch_is_loaded_unless_set_by_the_user():
    code = "import sys; from transclipped.utils.machine import wait_passively; wait_passively(); "
    code += "assert 'torch' not in sys.modules"
    assert environment_of(code) == ["PASSIVE", "0", "0"]
    assert environment_of(code, KMP_BLOCKTIME="7") == ["PASSIVE", "0", "7"]


def test_child_of_the_app_keeps_the_users_settings(tmp_path, monkeypatch):
    seen, child = {}, SimpleNamespace(wait=lambda: 0)
    monkeypatch.setattr(machine.subprocess, "Popen", lambda words, **options: seen.update(options["env"]) or child)
    monkeypatch.setattr(machine, "_made_passive", set())
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    machine.wait_passively()
    assert os.environ["GOMP_SPINCOUNT"] == "0"
    machine.spawn(["lab"], log=tmp_path / "log.txt")
    assert seen["OMP_WAIT_POLICY"] == "PASSIVE" and not {"GOMP_SPINCOUNT", "KMP_BLOCKTIME"} & seen.keys()
    for name in ("GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name)
