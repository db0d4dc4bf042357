"""What takes seconds on all cores is done for one visitor at a time.

Two at once would not be done sooner, and the pages of everybody else would stand still meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from threading import RLock
from typing import ParamSpec, TypeVar

_turn = RLock()  # one heavy computation may need another
Given, Answer = ParamSpec("Given"), TypeVar("Answer")


def one_at_a_time(work: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """`work`, which waits until no other thread is in such a function.

    It stands below Streamlit's cache, so that what is known needs no turn, and calls no cached function that others
    may be computing while they wait for theirs.
    """

    @wraps(work)
    def turned(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        with _turn:
            return work(*args, **kwargs)

    return turned
