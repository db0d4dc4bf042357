"""The number format: measured once on a machine, remembered, and measured again where that fails."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from transclipped.models import precision


@pytest.fixture(autouse=True)
def measured(tmp_path, monkeypatch):
    """A cache of its own, and a list of measurements, which say that bfloat16 is faster."""
    asked = []
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "_measure", lambda: asked.append(1) or True)
    precision._prefers_bfloat16.cache_clear()
    yield asked
    precision._prefers_bfloat16.cache_clear()


def forget_in_memory():
    """As a new process would."""
    precision._prefers_bfloat16.cache_clear()


CPU = torch.device("cpu")


def test_it_is_measured_once_and_remembered(measured, tmp_path):
    for _ in range(3):
        assert precision.fastest_dtype(CPU) == torch.bfloat16
        forget_in_memory()
    assert len(measured) == 1
    assert list(json.loads((tmp_path / "precision.json").read_text()).values()) == [True]


def test_the_number_of_threads_makes_no_difference(measured):
    before = torch.get_num_threads()
    precision.fastest_dtype(CPU)
    try:
        torch.set_num_threads(before + 1)
        precision.fastest_dtype(CPU)
    finally:
        torch.set_num_threads(before)
    assert len(measured) == 1


def test_threads_that_ask_at_once_measure_once(measured, monkeypatch):
    together = threading.Barrier(4, timeout=20)
    monkeypatch.setattr(precision, "_measure", lambda: measured.append(1) or time.sleep(0.1) is None)

    def ask(_):
        together.wait()
        return precision.fastest_dtype(CPU)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {torch.bfloat16}
    assert len(measured) == 1


@pytest.mark.parametrize("text", ["{", "[1]", "null", "{}", ""])
def test_a_damaged_memory_only_means_measuring_again(text, measured, tmp_path):
    (tmp_path / "precision.json").write_text(text)
    assert precision.fastest_dtype(CPU) == torch.bfloat16
    forget_in_memory()
    assert precision.fastest_dtype(CPU) == torch.bfloat16
    assert len(measured) == 1


def test_a_cache_that_cannot_be_written_only_means_measuring_again(measured, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "file"))
    assert precision.fastest_dtype(CPU) == torch.bfloat16


@pytest.mark.parametrize(("faster", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_inference_runs_in_the_faster_format_without_gradients(faster, dtype, monkeypatch):
    monkeypatch.setattr(precision, "_measure", lambda: faster)
    network = nn.Linear(4, 4)
    with precision.inference(CPU):
        found = network(torch.ones(2, 4))
    assert found.dtype == dtype
    assert not found.requires_grad
    assert network(torch.ones(2, 4)).dtype == torch.float32


def test_the_measurement_says_yes_or_no():
    forget_in_memory()
    assert precision._measure() in (True, False)
