"""Threads of a head: as few as are about as fast, tried anew while it trains; who waits passively and who does not."""

import os
import subprocess
import sys

import pytest
import torch

from transclipped.training import threads
from transclipped.training.threads import EVERY, TRIAL, Choice, on_fitting_threads
from transclipped.training.trainer import Event
from transclipped.utils import machine


@pytest.fixture(autouse=True)
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def chosen(seconds: dict[int, float], most: int, *, choice: Choice | None = None) -> int:
    """The choice after a trial on a machine where a step takes `seconds` by its threads."""
    choice = choice or Choice(most)
    for _ in range(TRIAL * (most.bit_length() + 1)):
        choice.took(seconds[choice.threads])
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
def test_more_threads_must_be_worth_it(seconds, most, best):
    assert chosen(seconds, most) == best


def test_one_slow_step_decides_nothing_and_a_machine_that_gets_busy_is_noticed():
    choice = Choice(2)
    for index in range(TRIAL * 2):  # a disturbance in each half of the trial
        choice.took({1: 1.0, 2: 0.6}[choice.threads] + (9.0 if index % TRIAL == 1 else 0.0))
    assert choice.threads == 2
    busy, counts = {1: 1.1, 2: 6.0}, []
    for _ in range(EVERY):
        counts.append(choice.threads)
        choice.took(busy[choice.threads])
    assert counts[-1] == 1 and counts.count(2) == 2 * TRIAL  # until it was noticed, and in the trial that followed
    for _ in range(2 * EVERY):
        counts.append(choice.threads)
        choice.took({1: 1.0, 2: 0.6}[choice.threads])
    assert counts[-1] == 2


def events(seen: list[int]):
    """Steps and ends of epochs; notes the threads that each has."""
    for step in range(1, 3 * EVERY):
        seen.append(torch.get_num_threads())
        yield Event("step", step / 10, step, 3 * EVERY, {"loss": 1.0})
        if step % 10 == 0:
            yield Event("epoch", step / 10, step, 3 * EVERY, {})


def test_events_pass_unchanged_and_between_them_threads_are_as_before(monkeypatch):
    clock = iter(range(10**6))
    monkeypatch.setattr(threads.time, "perf_counter", lambda: next(clock) * (1.0 / torch.get_num_threads()))
    seen, passed = [], []
    for event in on_fitting_threads(events(seen)):
        assert torch.get_num_threads() == 4
        passed.append(event)
    assert passed == list(events([]))
    assert seen[0] == 1 and set(seen) == {1, 2, 4} and torch.get_num_threads() == 4


def test_a_failure_or_an_early_end_leaves_threads_as_before():
    def failing():
        yield Event("step", 0.1, 1, 2, {})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(on_fitting_threads(failing()))
    assert torch.get_num_threads() == 4
    stopped = on_fitting_threads(events([]))
    next(stopped)
    stopped.close()
    assert torch.get_num_threads() == 4


def test_a_head_is_the_same_on_any_number_of_threads():
    from transclipped.config import ClippingConfig
    from transclipped.experiments.lab import sweep
    from transclipped.features import labset

    lab = labset.load()
    config = labset.lab_config(lab, clipping=ClippingConfig(rule="adaptive"), temperature=0.3)

    class Enough(Exception):
        pass

    def state(count):
        torch.set_num_threads(count)
        weights = {}

        def watch(event, head):
            weights.update({name: value.clone() for name, value in head.state_dict().items()})
            if event.step == 30:
                raise Enough

        with pytest.raises(Enough):
            sweep.train_head(lab, config, watch=watch)
        return weights

    one, two = state(1), state(2)
    assert all(torch.equal(one[name], two[name]) for name in one)


def environment_of(code: str, **more: str) -> list[str]:
    """OpenMP's variables after `code`, in a process that begins without any."""
    code += "; import os; print([os.environ.get(n) for n in ('OMP_WAIT_POLICY', 'GOMP_SPINCOUNT', 'KMP_BLOCKTIME')])"
    free = {name: value for name, value in os.environ.items() if name not in machine.PASSIVE}
    done = subprocess.run([sys.executable, "-c", code], env=free | more, capture_output=True, text=True, check=True)
    return eval(done.stdout)


def test_waiting_is_passive_before_torch_is_loaded_and_what_a_person_set_stays():
    code = "import sys; from transclipped.utils.machine import wait_passively; wait_passively(); "
    code += "assert 'torch' not in sys.modules"
    assert environment_of(code) == ["PASSIVE", "0", "0"]
    assert environment_of(code, KMP_BLOCKTIME="7") == ["PASSIVE", "0", "7"]


def test_a_child_of_the_app_waits_as_its_user_chose(tmp_path, monkeypatch):
    seen = {}

    class Child:
        def __init__(self, words, **options):
            seen.update(options["env"])

        def wait(self):
            pass

    monkeypatch.setattr(machine.subprocess, "Popen", Child)
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
