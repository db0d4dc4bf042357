"""Parallel work: each core decodes, renders and encodes a separate batch.

A forward pass that divides one batch among all cores waits at the end of every layer for the slowest core, which also
decodes. Separate batches never wait, and a small batch is not worth dividing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

FOR_DEVICE = 2  # threads that decode for an accelerator, which processes one batch at a time anyway
Item, Result = TypeVar("Item"), TypeVar("Result")

_lock = threading.Lock()


def parallel(work: Callable[[Item], Result], items: Sequence[Item], *, device: str) -> Iterator[Result]:
    """`work` of each item, in order; at most two items per thread are running or waiting."""
    threads = torch.get_num_threads() if torch.device(device).type == "cpu" else FOR_DEVICE
    ahead = 2 * threads
    with ThreadPoolExecutor(threads, initializer=_single_threaded) as pool:
        pending = deque(pool.submit(work, item) for item in items[:ahead])
        try:
            for n in range(len(items)):
                result = pending.popleft().result()
                pending.extend(pool.submit(work, item) for item in items[n + ahead : n + ahead + 1])
                yield result
        finally:
            pool.shutdown(cancel_futures=True)


def single_threaded(work: Callable[[], Result]) -> Result:
    """`work()` in a thread like those of `parallel`, to measure it."""
    with ThreadPoolExecutor(1, initializer=_single_threaded) as pool:
        return pool.submit(work).result()


def _single_threaded() -> None:
    """Let torch use one core in this thread, and as many as before in all others.

    torch has one number per process, which a thread copies when it first computes. So another thread restores it.
    """
    with _lock:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        restore = threading.Thread(target=torch.set_num_threads, args=(before,))
        restore.start()
        restore.join()
