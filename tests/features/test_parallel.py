"""Work side by side: order, one core a thread, nobody else affected, stops when nobody listens."""

import threading
import time

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
def test_answers_come_in_the_order_of_the_items(n, three_threads):
    def slow_at_first(i):
        time.sleep(0.01 * (i % 3 == 0))
        return i * i

    assert list(parallel(slow_at_first, range(n), device="cpu")) == [i * i for i in range(n)]


def test_each_thread_has_one_core_and_all_others_keep_theirs(three_threads):
    seen = list(parallel(lambda _: (threading.get_ident(), torch.get_num_threads()), range(50), device="cpu"))
    assert {cores for _, cores in seen} == {1}
    assert threading.get_ident() not in {thread for thread, _ in seen}
    assert torch.get_num_threads() == 3
    later = []
    other = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    other.start()
    other.join()
    assert later == [3]


def test_work_overlaps(three_threads):
    met = threading.Barrier(3, timeout=20)
    assert list(parallel(lambda i: met.wait() >= 0, range(3), device="cpu")) == [True] * 3


def test_little_is_begun_before_it_is_asked_for_and_nothing_after(three_threads):
    begun = []
    answers = parallel(begun.append, range(1000), device="cpu")
    next(answers)
    answers.close()
    assert len(begun) <= 2 * 3 + 1


def test_a_fault_reaches_the_caller(three_threads):
    def work(i):
        if i == 4:
            raise OSError("gone")
        return i

    found = parallel(work, range(100), device="cpu")
    assert [next(found) for _ in range(4)] == [0, 1, 2, 3]
    with pytest.raises(OSError, match="gone"):
        next(found)


def test_a_measurement_runs_on_one_core(three_threads):
    assert single_threaded(torch.get_num_threads) == 1
    assert torch.get_num_threads() == 3
