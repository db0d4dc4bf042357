"""Parallel work: in order, one core per thread, no effect on other threads, and an early stop."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from transclipped.features.parallel import parallel, single_threaded


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("n", [0, 1, 5, 6, 7, 40])
def test_results_are_in_the_order_of_the_items(n, three_threads):
    def slow_at_first(i):
        time.sleep(0.01 * (i % 3 == 0))
        return i * i

    assert list(parallel(slow_at_first, range(n), device="cpu")) == [i * i for i in range(n)]


def test_each_worker_has_one_core_and_other_threads_keep_theirs(three_threads):
    results = list(parallel(lambda _: (threading.get_ident(), torch.get_num_threads()), range(50), device="cpu"))
    assert {cores for _, cores in results} == {1}
    assert threading.get_ident() not in {thread for thread, _ in results}
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result() == 3


def test_work_overlaps(three_threads):
    met = threading.Barrier(3, timeout=20)
    assert list(parallel(lambda i: met.wait() >= 0, range(3), device="cpu")) == [True] * 3


def test_few_items_are_started_in_advance_and_none_after_the_end(three_threads):
    started = []
    results = parallel(started.append, range(1000), device="cpu")
    next(results)
    results.close()
    assert len(started) <= 2 * 3 + 1


def test_an_error_reaches_the_caller(three_threads):
    def work(i):
        if i == 4:
            raise OSError("gone")
        return i

    results = parallel(work, range(100), device="cpu")
    assert [next(results) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="gone"):
        next(results)


def test_a_measurement_uses_one_core(three_threads):
    assert single_threaded(torch.get_num_threads) == 1
    assert torch.get_num_threads() == 3
