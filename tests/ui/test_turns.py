"""Heavy computations take turns."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from transclipped.ui import turns
from transclipped.ui.turns import one_at_a_time


def test_heavy_computations_run_one_at_a_time_and_may_nest():
    inside, most = [], []

    @one_at_a_time
    def one(value):
        inside.append(value)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return value

    @one_at_a_time
    def two(value):
        return one(value) + 1

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda f, n: f(n), [one, two] * 4, range(8), timeout=120))
    assert set(most) == {1} and results == [0, 2, 2, 4, 4, 6, 6, 8]


def test_an_error_ends_the_turn():
    @one_at_a_time
    def divide(by):
        return 1 / by

    with pytest.raises(ZeroDivisionError):
        divide(0)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(divide, 1).result(10) == 1


def test_giving_way_lets_waiting_threads_go_first():
    order, others = [], []

    @one_at_a_time
    def short(name):
        order.append(name)

    @one_at_a_time
    def long():
        for step in range(3):
            order.append(step)
            if step == 1:
                others.extend(threading.Thread(target=short, args=(name,)) for name in "ab")
                for other in others:
                    other.start()
                while turns._waiting < 2:
                    time.sleep(0.001)
            turns.give_way()

    long()
    for other in others:
        other.join(10)
    assert order[:2] == [0, 1] and sorted(order[2:4]) == ["a", "b"] and order[4:] == [2]
