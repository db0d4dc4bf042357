"""Progress of a long computation: a bar on standard error, a file for other processes, or a caller that watches."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from transclipped.errors import InputError
from transclipped.utils.files import write_json
from transclipped.utils.machine import identity

WRITE_EVERY = 1.0  # seconds between two writes of a progress file
Batch = TypeVar("Batch", bound=Sized)


@dataclass(frozen=True)
class Progress:
    """Progress of a long computation: `done` of `total` images after `seconds`."""

    what: str
    done: int
    total: int
    seconds: float

    @property
    def seconds_left(self) -> float | None:
        """None before the first image."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None


_watcher: ContextVar[Callable[[Progress], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watch(see: Callable[[Progress], None]) -> Iterator[None]:
    """What reports progress within the block, in this thread and however deep, calls `see`."""
    token = _watcher.set(see)
    try:
        yield
    finally:
        _watcher.reset(token)


def report(progress: Progress) -> None:
    """Tell whoever watches."""
    if (see := _watcher.get()) is not None:
        see(progress)


def count_images(batches: Iterable[Batch], total: int, what: str) -> Iterator[Batch]:
    """Yield batches unchanged, and report how many of `total` images they make; a bar only in a terminal."""
    from tqdm import tqdm

    done, started = 0, time.monotonic()
    with tqdm(total=total, desc=what, disable=None) as bar:
        for batch in batches:
            done += len(batch)
            bar.update(len(batch))
            report(Progress(what, done, total, time.monotonic() - started))
            yield batch


def with_bars(work: Iterable[Any]) -> Iterator[Any]:
    """Yield progress and events unchanged, with a bar for each stage on standard error."""
    from tqdm import tqdm

    bar, stage = None, None
    try:
        for item in work:
            what, done, total, note = _bar_of(item)
            if what != stage:
                if bar is not None:
                    bar.close()
                bar, stage = tqdm(total=total, desc=what, file=sys.stderr, mininterval=0.5, leave=True), what
            bar.total = total
            bar.set_postfix(note, refresh=False)
            bar.update(max(0, done - bar.n))
            if isinstance(item, Progress):
                report(item)
            yield item
    finally:
        if bar is not None:
            bar.close()


def with_file(work: Iterable[Any], path: Path | None) -> Iterator[Any]:
    """Yield progress unchanged, and write it to a JSON file every second and at the end, unless `path` is None.

    {"state": running | finished | failed, "done", "total", "seconds", "error", "pid", "started"}
    """
    if path is None:
        yield from work
        return
    now = {"state": "running", "done": 0, "total": 0, "seconds": 0.0, "error": ""} | identity(os.getpid())
    write_json(path, now, durable=False)
    written = 0.0
    try:
        for step in work:
            now |= {"done": step.done, "total": step.total, "seconds": round(step.seconds, 1)}
            if step.seconds - written >= WRITE_EVERY:
                write_json(path, now, durable=False)
                written = step.seconds
            yield step
    except Exception as error:
        text = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        write_json(path, now | {"state": "failed", "error": text})
        raise
    write_json(path, now | {"state": "finished"})


def _bar_of(item: Any) -> tuple[str, int, int, dict[str, str]]:
    """Stage, done, total and metrics of a progress or an event."""
    if isinstance(item, Progress):
        return item.what, item.done, item.total, {}
    labels = dict(loss="loss", clip_fraction="clipped", images_per_s="images/s", validation_map="validation mAP")
    metrics = {label: f"{item.values[name]:.4g}" for name, label in labels.items() if name in item.values}
    return "training", item.step, item.total, metrics
