"""The number format: measured once per machine, cached, and measured again if the cache is unusable."""

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
    """A separate cache, and a list of measurements, in which bfloat16 is faster."""
    calls = []
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path))
    monkeypatch.setattr(precision, "_measure", lambda: calls.append(1) or True)
    clear_memory()
    yield calls
    clear_memory()


clear_memory = precision._prefers_bfloat16.cache_clear  # as in a new process
CPU = torch.device("cpu")


def test_it_is_measured_once_and_cached(measured, tmp_path):
    for _ in range(3):
        assert precision.fastest_dtype(CPU) == torch.bfloat16
        clear_memory()
    assert len(measured) == 1
    assert list(json.loads((tmp_path / "precision.json").read_text()).values()) == [True]


def test_it_does_not_depend_on_the_number_of_threads(measured):
    before = torch.get_num_threads()
    precision.fastest_dtype(CPU)
    try:
        torch.set_num_threads(before + 1)
        precision.fastest_dtype(CPU)
    finally:
        torch.set_num_threads(before)
    assert len(measured) == 1


def test_concurrent_threads_measure_once(measured, monkeypatch):
    barrier = threading.Barrier(4, timeout=20)
    monkeypatch.setattr(precision, "_measure", lambda: measured.append(1) or time.sleep(0.1) is None)

    with ThreadPoolExecutor(4) as pool:
        results = set(pool.map(lambda _: barrier.wait() >= 0 and precision.fastest_dtype(CPU), range(4)))
    assert results == {torch.bfloat16} and len(measured) == 1


@pytest.mark.parametrize("text", ["{", "[1]", "null", "{}", ""])
def test_damaged_cache_is_measured_again(text, measured, tmp_path):
    (tmp_path / "precision.json").write_text(text)
    assert precision.fastest_dtype(CPU) == torch.bfloat16
    clear_memory()
    assert precision.fastest_dtype(CPU) == torch.bfloat16 and len(measured) == 1


def test_read_only_cache_is_tolerated(measured, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "file"))
    assert precision.fastest_dtype(CPU) == torch.bfloat16


@pytest.mark.parametrize(("faster", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_inference_runs_in_the_faster_format_without_gradients(faster, dtype, monkeypatch):
    monkeypatch.setattr(precision, "_measure", lambda: faster)
    network = nn.Linear(4, 4)
    with precision.inference(CPU):
        y = network(torch.ones(2, 4))
    assert y.dtype == dtype and not y.requires_grad
    assert network(torch.ones(2, 4)).dtype == torch.float32
