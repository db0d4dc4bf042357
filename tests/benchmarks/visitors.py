"""How long simultaneous visitors wait: `python -m tests.benchmarks.visitors`.

Each visitor opens a random run, then switches pages and changes controls, with a pause after each action, all from one
seed. Prints the time from an action to the end of its rerun, the work of the server's threads by page, and the growth
of the server's memory. Visitors exchange a browser's messages without drawing, so only the server is measured.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from tests.benchmarks.app_speed import memory
from tests.benchmarks.session import opened
from tests.browser.serving import ROOT, served
from transclipped.ui.shell import ORDER

PAGES = ["", *[name for name, _, _ in ORDER[1:]]]
RUNS = sorted(path.parent.name for path in (ROOT / "assets" / "runs").glob("*/config.json"))
PAUSES = (0.2, 1.5)  # seconds after an action
LONGEST = 60.0  # seconds, limit of an action


@dataclass
class Measurements:
    """Seconds of actions, counts of faults, and (seconds by the clock, megabytes of the server)."""

    actions: list[float] = field(default_factory=list)
    faults: Counter = field(default_factory=Counter)
    memory: list[tuple[float, float]] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=10, help="at once (default 10)")
    parser.add_argument("--seconds", type=float, default=120.0, help="duration (default 120)")
    parser.add_argument("--seed", type=int, default=0, help="of the actions (default 0)")
    parser.add_argument("--cold", action="store_true", help="do not visit every page first")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "reruns.txt"
        environment = {**os.environ, "TRANSCLIPPED_RUNS": f"{folder}/runs", "RERUNS": str(log)}
        with served(environment, module="tests.benchmarks.timed") as (address, server):
            measurements = asyncio.run(_visits(address, server, options, log))
        _print(measurements, log.read_text().splitlines() if log.exists() else [])


async def _visits(address: str, server, options, log: Path) -> Measurements:
    measurements = Measurements()
    if not options.cold:
        async with opened(address, {}) as first:
            for page in PAGES:
                await asyncio.wait_for(first.visit(page), LONGEST)
        log.unlink(missing_ok=True)
    end = time.monotonic() + options.seconds
    visit = partial(_visit, address, end, measurements)
    visits = [visit(random.Random(options.seed * 1000 + i)) for i in range(options.visitors)]
    await asyncio.gather(_watch(server, end, measurements), *visits)
    return measurements


async def _watch(server, end: float, measurements: Measurements) -> None:
    while time.monotonic() < end:
        measurements.memory.append((time.monotonic(), memory(server)))
        await asyncio.sleep(2)


async def _visit(address: str, end: float, measurements: Measurements, choice: random.Random) -> None:
    async with opened(address, {"run": choice.choice(RUNS)}) as session:
        await _act(session.visit(choice.choice(PAGES)), measurements)
        while time.monotonic() < end:
            switch = choice.random() < 0.5
            await _act(session.visit(choice.choice(PAGES)) if switch else session.turn(choice), measurements)
            await asyncio.sleep(choice.uniform(*PAUSES))
        measurements.faults["exception shown"] += session.exceptions


async def _act(action: Awaitable[bool | None], measurements: Measurements) -> None:
    started = time.monotonic()
    try:
        if await asyncio.wait_for(action, LONGEST) is False:
            return
    except TimeoutError:
        measurements.faults["timeout"] += 1
    measurements.actions.append(time.monotonic() - started)


def _print(measurements: Measurements, reruns: list[str]) -> None:
    print(f"actions        {_percentiles(measurements.actions)}")
    pages: dict[str, list[tuple[float, float]]] = {}
    for page, clock, work in (line.split("\t") for line in reruns):
        pages.setdefault(page, []).append((float(clock), float(work)))
    every = [pair for times in pages.values() for pair in times]
    print(f"server reruns  {_percentiles([clock for clock, _ in every])}")
    print(f"  their work   {_percentiles([work for _, work in every])}")
    for page, times in sorted(pages.items(), key=lambda item: -sum(work for _, work in item[1])):
        work = sum(work for _, work in times)
        print(f"  {page:<16} {_percentiles([clock for clock, _ in times])}, {work:.1f} s of work")
    times, sizes = (np.array(column) for column in zip(*measurements.memory, strict=True))
    late = times >= np.median(times)
    slope = np.polyfit(times[late], sizes[late], 1)[0] * 60
    print(f"memory         {sizes[0]:.0f} MB at first, {sizes.max():.0f} at most, {sizes[-1]:.0f} at last; ", end="")
    print(f"{slope:+.1f} MB a minute in the second half")
    print(f"faults         {dict(+measurements.faults) or 'none'}")


def _percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    half, most = np.percentile(seconds, [50, 95])
    return f"n {len(seconds):4}  p50 {half:6.2f} s  p95 {most:6.2f} s  most {max(seconds):6.2f} s"


if __name__ == "__main__":
    main()
