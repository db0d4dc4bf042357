"""How long visitors wait who use the app at the same time: `python -m tests.benchmarks.visitors`.

Each visitor opens a random run, then switches pages and turns controls, with a pause after each act; all from one seed.
Prints how long an act takes until its rerun is over, of it the work of the server's thread for each page, and how the
server's memory grows.

The visitors send and get what a browser would, and draw nothing, so the server is measured alone. `--browser` opens a
tab of Chromium for each: on the same machine, they take most of it, and the visitor waits for both.

Usage: python -m tests.benchmarks.visitors [--visitors 10] [--seconds 120] [--seed 0] [--cold] [--browser]

    --cold      the visitors come to a server that has just started; else one visitor sees every page first
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from tests.benchmarks import session, tab
from tests.benchmarks.app_speed import memory
from tests.browser.serving import ROOT, served
from transclipped.ui.shell import ORDER

PAGES = ["", *[name for name, _, _ in ORDER[1:]]]
RUNS = sorted(path.parent.name for path in (ROOT / "assets" / "runs").glob("*/config.json"))
PAUSES = (0.2, 1.5)  # seconds after an act
LONGEST = 60.0  # seconds that an act may take
TIMED = "tests.benchmarks.timed"


class Visitor(Protocol):
    """Somebody who looks at the app; `exceptions` counts boxes with an error that nobody caught."""

    exceptions: int

    async def visit(self, page: str) -> None: ...

    async def turn(self, choice: random.Random) -> bool: ...


@dataclass
class Seen:
    """What was measured: seconds of acts, what went wrong, and megabytes of the server at seconds by the clock."""

    acts: list[float] = field(default_factory=list)
    faults: Counter = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=10, help="at once (default 10)")
    parser.add_argument("--seconds", type=float, default=120.0, help="that they stay (default 120)")
    parser.add_argument("--seed", type=int, default=0, help="of what they do (default 0)")
    parser.add_argument("--cold", action="store_true", help="without a visitor before them")
    parser.add_argument("--browser", action="store_true", help="each in a tab of Chromium")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "reruns.txt"
        environment = {**os.environ, "TRANSCLIPPED_RUNS": f"{folder}/runs", "RERUNS": str(log)}
        with served(environment, module=TIMED) as (address, server):
            seen = asyncio.run(_visits(address, server, options, log))
        _print(seen, log.read_text().splitlines() if log.exists() else [])


async def _visits(address: str, server, options, log: Path) -> Seen:
    seen = Seen()
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(tab.browser()) if options.browser else session.opened
        come = partial(opened, address)
        if not options.cold:
            async with come({}) as first:
                for page in PAGES:
                    await asyncio.wait_for(first.visit(page), LONGEST)
            log.unlink(missing_ok=True)
        end = time.monotonic() + options.seconds
        visits = [_visit(come, random.Random(options.seed * 1000 + i), end, seen) for i in range(options.visitors)]
        await asyncio.gather(_watch(server, end, seen), *visits)
    return seen


async def _watch(server, end: float, seen: Seen) -> None:
    while time.monotonic() < end:
        seen.memory.append((time.monotonic(), memory(server)))
        await asyncio.sleep(2)


async def _visit(come, choice: random.Random, end: float, seen: Seen) -> None:
    opened: AbstractAsyncContextManager[Visitor] = come({"run": choice.choice(RUNS)})
    async with opened as visitor:
        await _act(visitor.visit(choice.choice(PAGES)), seen)
        while time.monotonic() < end:
            await _act(visitor.visit(choice.choice(PAGES)) if choice.random() < 0.5 else visitor.turn(choice), seen)
            await asyncio.sleep(choice.uniform(*PAUSES))
        seen.faults["exception shown"] += visitor.exceptions


async def _act(act: Awaitable[bool | None], seen: Seen) -> None:
    begun = time.monotonic()
    try:
        if await asyncio.wait_for(act, LONGEST) is not False:
            seen.acts.append(time.monotonic() - begun)
    except (TimeoutError, tab.Error) as error:
        seen.acts.append(time.monotonic() - begun)
        seen.faults[f"{type(error).__name__} {error}".splitlines()[0][:80]] += 1


def _print(seen: Seen, reruns: list[str]) -> None:
    print(f"acts           {_percentiles(seen.acts)}")
    pages: dict[str, list[tuple[float, float]]] = {}
    for page, clock, work in (line.split("\t") for line in reruns):
        pages.setdefault(page, []).append((float(clock), float(work)))
    every = [pair for times in pages.values() for pair in times]
    print(f"server reruns  {_percentiles([clock for clock, _ in every])}")
    print(f"  their work   {_percentiles([work for _, work in every])}")
    for page, times in sorted(pages.items(), key=lambda item: -sum(work for _, work in item[1])):
        work = sum(work for _, work in times)
        print(f"  {page:<16} {_percentiles([clock for clock, _ in times])}, {work:.1f} s of work")
    times, sizes = (np.array(column) for column in zip(*seen.memory, strict=True))
    late = times >= np.median(times)
    slope = np.polyfit(times[late], sizes[late], 1)[0] * 60
    print(f"memory         {sizes[0]:.0f} MB at first, {sizes.max():.0f} at most, {sizes[-1]:.0f} at last; ", end="")
    print(f"{slope:+.1f} MB a minute in the second half")
    print(f"faults         {dict(+seen.faults) or 'none'}")


def _percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    half, most = np.percentile(seconds, [50, 95])
    return f"n {len(seconds):4}  p50 {half:6.2f} s  p95 {most:6.2f} s  most {max(seconds):6.2f} s"


if __name__ == "__main__":
    main()
