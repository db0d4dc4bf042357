"""Chooses the number of threads for training a head, by timing its steps.

The matrices of a head are small. With too many threads they wait for each other longer than they compute, and if
another program uses a core, all wait for the delayed thread. The best number depends on the machine and its load. A
step gives the same result with any number of threads, so trials cost only time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from transclipped.training.trainer import Event

TRIAL = 4  # steps for each number of threads; the fastest, least disturbed step counts
EVERY = 200  # steps from one trial to the next
MARGIN = 1.05  # more threads must be faster by this factor
SLOW = 3.0  # times the fastest step; `TRIAL` consecutive steps slower than this start a new trial


def on_fastest_threads(events: Iterator[Event]) -> Iterator[Event]:
    """The events of a head's training, with each step on the fastest number of threads up to torch's setting."""
    most = torch.get_num_threads()
    choice = Choice(most)
    try:
        while True:
            torch.set_num_threads(choice.threads)
            started = time.perf_counter()
            event = next(events, None)
            seconds = time.perf_counter() - started
            torch.set_num_threads(most)
            if event is None:
                return
            if event.kind == "step":
                choice.record(seconds)
            yield event
    finally:
        torch.set_num_threads(most)


class Choice:
    """The number of threads for the next step: 1, 2, 4, … or `most`; a trial doubles it while that is faster."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._begin()

    def record(self, seconds: float) -> None:
        """Record the duration of a step on `threads`."""
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
