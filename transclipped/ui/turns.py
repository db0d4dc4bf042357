"""What takes seconds on all cores is done for one visitor at a time.

Two at once would not be done sooner, and the pages of everybody else would stand still meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from threading import Lock, RLock
from typing import ParamSpec, TypeVar

HANDOVER = 0.005  # seconds in which somebody who waits takes a turn that was given away
_turn = RLock()  # one heavy computation may need another
_counting = Lock()
_waiting = 0  # that have not had their turn
Given, Answer = ParamSpec("Given"), TypeVar("Answer")


def one_at_a_time(work: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """`work`, which waits until no other thread is in such a function.

    It stands below Streamlit's cache, so that what is known needs no turn, and calls no cached function that others
    may be computing while they wait for theirs.
    """

    @wraps(work)
    def turned(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        _count(1)
        with _turn:
            _count(-1)
            return work(*args, **kwargs)

    return turned


def give_way() -> None:
    """Let those who wait go first; for the thread whose turn it is, between two steps of what takes many seconds."""
    while _waiting:
        _turn.release()
        time.sleep(HANDOVER)
        _turn.acquire()


def _count(one: int) -> None:
    global _waiting
    with _counting:
        _waiting += one
