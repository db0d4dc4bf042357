"""How fast the app is in a real browser, and how much memory it takes: `python -m tests.benchmarks.app_speed`.

Prints seconds from the start of the server to the drawn Overview, of the first and the second switch to each page, and
the memory of the server after all pages were visited. A page counts as drawn when its steps name it and nothing runs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.serving import ROOT, launched, served
from transclipped.ui.shell import ORDER

PATIENCE = 120_000  # milliseconds
DRAWN = """place => document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'
  && document.querySelector('.st-key-lesson-steps')?.innerText.includes(place)
  && document.querySelector('h1') !== null"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--query", default="", help="of the address, such as run=NAME")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds before the first switch (default 5)")
    options = parser.parse_args()
    pages = [(name, title) for name, title, _ in ORDER if (ROOT / "pages" / f"{name}.py").is_file()]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = launched(playwright)
        tab = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        tab.set_default_timeout(PATIENCE)
        started = time.perf_counter()
        with served({"TRANSCLIPPED_RUNS": home, **os.environ}, look_every=0.03) as (address, server):
            tab.goto(f"{address}/?{options.query}")
            _wait(tab, 0, len(pages))
            print(f"start of the server to drawn Overview  {time.perf_counter() - started:6.2f} s")
            print(f"memory with Overview alone             {_memory(server):6.0f} MB")
            tab.reload()
            time.sleep(options.idle)
            _switches(tab, pages)
            print(f"memory after all pages                 {_memory(server):6.0f} MB")
        browser.close()


def _switches(tab, pages: list[tuple[str, str]]) -> None:
    times: dict[str, list[float]] = {title: [] for _, title in pages}
    for _ in range(2):
        for number in [*range(1, len(pages)), 0]:
            title = pages[number][1]
            link = tab.locator('[data-testid="stSidebarNavLink"]').nth(number)
            started = time.perf_counter()
            link.click()
            _wait(tab, number, len(pages))
            times[title].append(time.perf_counter() - started)
            if tab.locator('[data-testid="stException"]').count():
                raise SystemExit(f"{title} shows an exception")
    print("page switch, first and second time:")
    for title, (cold, warm) in times.items():
        print(f"  {title:<36} {cold:6.2f} s {warm:6.2f} s")


def _wait(tab, number: int, n: int) -> None:
    tab.wait_for_function(DRAWN, arg=f"{number + 1} of {n}", polling=20)


def _memory(server: subprocess.Popen) -> float:
    """Resident megabytes of the server; NaN where the system does not tell."""
    try:
        lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000
    except (OSError, StopIteration):
        return float("nan")


if __name__ == "__main__":
    main()
