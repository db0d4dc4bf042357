"""How many threads train a head: tried on its own steps, again and again.

The matrices of a head are small. Beyond some number, threads wait for each other longer than they compute, and where
another program has a core, all wait for the thread that it delays. Where that number lies depends on the machine and
changes while other programs come and go. A step gives the same numbers on any of them, so trying costs time alone.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from transclipped.training.trainer import Event

TRIAL = 4  # steps on each number of threads; the fastest counts, which is the one that nothing disturbed
EVERY = 200  # steps from one trial to the next
MARGIN = 1.05  # more threads must be faster by this much
SLOW = 3.0  # times the fastest step: so many steps as a trial has that are slower begin the next trial


def on_fitting_threads(events: Iterator[Event]) -> Iterator[Event]:
    """The events of a head's training, each step on as many threads as were fastest, at most those that torch has."""
    most = torch.get_num_threads()
    choice = Choice(most)
    try:
        while True:
            torch.set_num_threads(choice.threads)
            began = time.perf_counter()
            event = next(events, None)
            taken = time.perf_counter() - began
            torch.set_num_threads(most)
            if event is None:
                return
            if event.kind == "step":
                choice.took(taken)
            yield event
    finally:
        torch.set_num_threads(most)


class Choice:
    """The number of threads of the next step, from how long earlier ones took.

    Attributes:
        threads: of the next step, among 1, 2, 4, … and `most`. A trial doubles them as long as that is faster.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._begin()

    def took(self, seconds: float) -> None:
        """Learn what a step on `threads` took."""
        if self.most == 1:
            return
        self._step += 1
        self._slow = self._slow + 1 if seconds > SLOW * self._fastest and not self._trying else 0
        if self._step == EVERY or self._slow == TRIAL:
            self._begin()
        elif self._trying:
            self._times.append(seconds)
            if len(self._times) == TRIAL:
                self._judge(min(self._times))

    def _begin(self) -> None:
        self.threads, self._step, self._slow, self._times = 1, 0, 0, []
        self._best, self._fastest, self._trying = 1, float("inf"), True

    def _judge(self, seconds: float) -> None:
        better = seconds * MARGIN < self._fastest
        if better:
            self._best, self._fastest = self.threads, seconds
        self._trying = better and self.threads < self.most
        self.threads = min(2 * self.threads, self.most) if self._trying else self._best
        self._times = []
