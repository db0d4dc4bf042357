"""Computations that take seconds on all cores run for one visitor at a time.

Two at once would not finish sooner, and would block the pages of all other visitors meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from threading import Lock, RLock
from typing import ParamSpec, TypeVar

HANDOVER = 0.005  # seconds for a waiting thread to take the lock
_turn = RLock()  # re-entrant: one heavy computation may call another
_counting = Lock()
_waiting = 0  # threads waiting for their turn
P, R = ParamSpec("P"), TypeVar("R")


def one_at_a_time(work: Callable[P, R]) -> Callable[P, R]:
    """`work`, which waits until no other thread runs such a function.

    Goes below Streamlit's cache decorator, so that cached results need no turn. `work` must not call a cached function
    that another thread may be computing while it waits for its turn.
    """

    @wraps(work)
    def in_turn(*args: P.args, **kwargs: P.kwargs) -> R:
        _count(1)
        with _turn:
            _count(-1)
            return work(*args, **kwargs)

    return in_turn


def give_way() -> None:
    """Let waiting threads go first; called by the running thread between steps of a long computation."""
    while _waiting:
        _turn.release()
        time.sleep(HANDOVER)
        _turn.acquire()


def _count(change: int) -> None:
    global _waiting
    with _counting:
        _waiting += change
