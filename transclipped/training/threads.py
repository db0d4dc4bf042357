"""How many threads train a head: measured once for each shape on this machine, then remembered.

The matrices of a head are small. Beyond some number, threads wait for each other longer than they compute, and each
is one more that a busy core can delay. Where that number lies depends on the machine, so it is tried.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from transclipped.config import RunConfig
from transclipped.files import cache_dir
from transclipped.models.network import Head
from transclipped.remembered import remember, remembered
from transclipped.training.sources import CachedViews
from transclipped.training.trainer import Trainer

WARM, STEPS = 2, 6  # steps, not timed and timed; the fastest counts, which is the one that nothing disturbed
MARGIN = 1.1  # more threads must be faster by this much
LARGEST_BATCH = 512  # of measured steps; larger ones keep all threads busy


@contextmanager
def suited_threads(config: RunConfig, *, width: int) -> Iterator[None]:
    """Train a head on embeddings of `width` numbers with as many threads as suit it."""
    before = torch.get_num_threads()
    if config.schedule.batch <= LARGEST_BATCH:
        torch.set_num_threads(head_threads(config, width=width))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def head_threads(config: RunConfig, *, width: int) -> int:
    """Threads for the steps of a head, at most those that torch has now."""
    most = torch.get_num_threads()
    if most == 1:
        return 1
    path, key = cache_dir() / "threads.json", _key(config, width, most)
    known = remembered(path).get(key)
    if known in range(1, most + 1):
        return known
    best = fewest(lambda threads: _step_seconds(config, width, threads), most)
    remember(path, key, best)
    return best


def fewest(seconds: Callable[[int], float], most: int) -> int:
    """Threads among 1, 2, 4, … and `most`, up to where doubling them saves less than `MARGIN`.

    Args:
        seconds: of a step with so many threads.
    """
    best, fastest = 1, seconds(1)
    while best < most:
        more = min(2 * best, most)
        taken = seconds(more)
        if taken * MARGIN > fastest:
            break
        best, fastest = more, taken
    return best


def _step_seconds(config: RunConfig, width: int, threads: int) -> float:
    """Seconds of the fastest of some steps on random embeddings."""
    before, batch = torch.get_num_threads(), config.schedule.batch
    torch.set_num_threads(threads)
    try:
        features = np.random.default_rng(0).normal(size=(batch * (WARM + STEPS), width)).astype(np.float16)
        head = Head(width, config.quantizer, generator=torch.Generator().manual_seed(0))
        trainer = Trainer(head, CachedViews([features, features], np.arange(len(features)), seed=0), config)
        times = [time.perf_counter()]
        for event in trainer.events():
            times.append(time.perf_counter())
            if event.step == WARM + STEPS:
                break
        return min(np.diff(times)[WARM:])
    finally:
        torch.set_num_threads(before)


def _key(config: RunConfig, width: int, most: int) -> str:
    """Of the machine and the shapes; the rule of clipping changes little."""
    machine = f"{torch.backends.cpu.get_cpu_capability()} {most} {torch.__version__}"
    q = config.quantizer
    shape = f"{width} {config.schedule.batch} {q.bits} {q.dim} {q.codewords}"
    return hashlib.sha256(f"{machine} {shape}".encode()).hexdigest()[:16]
