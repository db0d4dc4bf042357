"""Work side by side: each core decodes, renders and encodes a batch of its own.

A forward pass that shares one batch among all cores waits at the end of every layer for the slowest of them, which is
the one that also decodes. Batches of their own never wait, and a pass over a small batch has no layer worth sharing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

FOR_DEVICE = 2  # threads that decode for an accelerator, which works on one batch at a time anyway
Item, Answer = TypeVar("Item"), TypeVar("Answer")

_turn = threading.Lock()


def side_by_side(work: Callable[[Item], Answer], items: Sequence[Item], *, device: str) -> Iterator[Answer]:
    """`work` of each item, in the order of the items; at most two a thread are begun or waiting."""
    threads = torch.get_num_threads() if torch.device(device).type == "cpu" else FOR_DEVICE
    ahead = 2 * threads
    with ThreadPoolExecutor(threads, initializer=take_one_core) as pool:
        begun = deque(pool.submit(work, item) for item in items[:ahead])
        try:
            for n in range(len(items)):
                answer = begun.popleft().result()
                begun.extend(pool.submit(work, item) for item in items[n + ahead : n + ahead + 1])
                yield answer
        finally:
            pool.shutdown(cancel_futures=True)


def on_one_core(work: Callable[[], Answer]) -> Answer:
    """`work()` as the threads of `side_by_side` would do it, such as to measure it."""
    with ThreadPoolExecutor(1, initializer=take_one_core) as pool:
        return pool.submit(work).result()


def take_one_core() -> None:
    """Let torch run on one core in the calling thread, and in all other threads on as many as before.

    torch has one number for the process, which a thread takes over when it first computes. So another thread, which
    then ends, puts the number back.
    """
    with _turn:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        back = threading.Thread(target=torch.set_num_threads, args=(before,))
        back.start()
        back.join()
