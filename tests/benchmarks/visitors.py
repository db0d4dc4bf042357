"""How long visitors wait who use the app at the same time: `python -m tests.benchmarks.visitors`.

Each visitor is a browser tab of its own that opens a random run, switches pages and turns controls, with a pause after
each act; all from one seed. Prints how long an act takes until the page has drawn (which the browsers' own work on the
same cores is part of), how long the server itself took for a rerun, and how its memory grows.

Usage: python -m tests.benchmarks.visitors [--visitors 10] [--seconds 120] [--seed 0] [--cold]

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
from pathlib import Path

import numpy as np
from playwright.async_api import Error, async_playwright

from tests.benchmarks.app_speed import memory
from tests.browser.serving import ARGUMENTS, ROOT, program, served
from transclipped.ui.shell import ORDER

PAGES = [name for name, _, _ in ORDER]
RUNS = sorted(path.parent.name for path in (ROOT / "assets" / "runs").glob("*/config.json"))
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
MAIN = "[data-testid=stMain] "
CONTROLS = [
    MAIN + kind
    for kind in (
        "[data-testid=stButtonGroup] button", "[data-testid=stNumberInputStepUp]", "[data-testid=stCheckbox] label",
        "[role=slider]", "button.ask",
    )
]  # fmt: skip
PAUSES = (0.2, 1.5)  # seconds after an act
LONGEST = 60_000  # milliseconds that an act may take
TIMED = "tests.benchmarks.timed"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visitors", type=int, default=10, help="tabs at once (default 10)")
    parser.add_argument("--seconds", type=float, default=120.0, help="that they stay (default 120)")
    parser.add_argument("--seed", type=int, default=0, help="of what they do (default 0)")
    parser.add_argument("--cold", action="store_true", help="without a visitor before them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "reruns.txt"
        environment = {**os.environ, "TRANSCLIPPED_RUNS": f"{folder}/runs", "RERUNS": str(log)}
        with served(environment, module=TIMED) as (address, server):
            acts, faults, series = asyncio.run(_visits(address, server, options, log))
        _print(acts, faults, series, log.read_text().splitlines() if log.exists() else [])


async def _visits(address: str, server, options, log: Path) -> tuple[list, Counter, list]:
    acts: list[float] = []
    faults: Counter = Counter()
    series: list[tuple[float, float]] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(playwright), args=ARGUMENTS)
        if not options.cold:
            tab = await (await browser.new_context()).new_page()
            for page in PAGES:
                await tab.goto(f"{address}/{page}")
                await tab.wait_for_selector(IDLE, timeout=LONGEST)
            await tab.context.close()
            log.unlink(missing_ok=True)
        end = time.monotonic() + options.seconds
        each = [_visitor(browser, address, options.seed * 1000 + i, end, acts, faults) for i in range(options.visitors)]
        await asyncio.gather(_watch(server, end, series), *each)
        await browser.close()
    return acts, faults, series


async def _watch(server, end: float, series: list[tuple[float, float]]) -> None:
    while time.monotonic() < end:
        series.append((time.monotonic(), memory(server)))
        await asyncio.sleep(2)


async def _visitor(browser, address: str, seed: int, end: float, acts: list[float], faults: Counter) -> None:
    choice = random.Random(seed)
    tab = await (await browser.new_context(viewport={"width": 1280, "height": 900})).new_page()
    await _act(tab, tab.goto(f"{address}/{choice.choice(PAGES)}?run={choice.choice(RUNS)}"), acts, faults)
    while time.monotonic() < end:
        if choice.random() < 0.5:
            place = tab.locator('[data-testid="stSidebarNavLink"]').nth(choice.randrange(len(PAGES)))
        else:
            controls = tab.locator(choice.choice(CONTROLS))
            n = await controls.count()
            place = controls.nth(choice.randrange(n)) if n else None
        if place is not None:
            turn = await place.get_attribute("role") == "slider" if await place.count() else False
            await _act(tab, place.press("ArrowRight") if turn else place.click(timeout=10_000), acts, faults)
        await asyncio.sleep(choice.uniform(*PAUSES))
    await tab.context.close()


async def _act(tab, act, acts: list[float], faults: Counter) -> None:
    begun = time.monotonic()
    try:
        await act
        await asyncio.sleep(0.05)
        await tab.wait_for_selector(IDLE, timeout=LONGEST)
        acts.append(time.monotonic() - begun)
        if await tab.locator('[data-testid="stException"]').count():
            faults["exception shown"] += 1
    except Error as error:
        faults[str(error).splitlines()[0][:80]] += 1


def _print(acts: list[float], faults: Counter, series: list[tuple[float, float]], reruns: list[str]) -> None:
    print(f"acts           {_percentiles(acts)}")
    pages: dict[str, list[tuple[float, float]]] = {}
    for page, clock, work in (line.split("\t") for line in reruns):
        pages.setdefault(page, []).append((float(clock), float(work)))
    every = [pair for times in pages.values() for pair in times]
    print(f"server reruns  {_percentiles([clock for clock, _ in every])}")
    print(f"  their work   {_percentiles([work for _, work in every])}")
    for page, times in sorted(pages.items(), key=lambda item: -sum(work for _, work in item[1])):
        work = sum(work for _, work in times)
        print(f"  {page:<16} {_percentiles([clock for clock, _ in times])}, {work:.1f} s of work")
    times, sizes = (np.array(column) for column in zip(*series, strict=True))
    late = times >= np.median(times)
    slope = np.polyfit(times[late], sizes[late], 1)[0] * 60
    print(f"memory         {sizes[0]:.0f} MB at first, {sizes.max():.0f} at most, {sizes[-1]:.0f} at last; ", end="")
    print(f"{slope:+.1f} MB a minute in the second half")
    print(f"faults         {dict(faults) or 'none'}")


def _percentiles(seconds: list[float]) -> str:
    if not seconds:
        return "none"
    half, most = np.percentile(seconds, [50, 95])
    return f"n {len(seconds):4}  p50 {half:6.2f} s  p95 {most:6.2f} s  most {max(seconds):6.2f} s"


if __name__ == "__main__":
    main()
