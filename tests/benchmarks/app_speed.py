"""Speed of the app in a real browser, and the server's memory: `python -m tests.benchmarks.app_speed`.

Prints seconds from the start of the server to the drawn Overview, of a switch to each page, and from an image uploaded
to Retrieval to its ranked grid; and the memory of the server after visiting all pages. The lower bound is Streamlit's
own switch between two pages with only a title. A page counts as drawn when its position in the lesson is shown and no
script runs; the grid when no script runs and its images have loaded.
"""

import argparse
import io
import os
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.serving import open_tab, served
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.ui.shell import ORDER

UPLOADS = 5
IMAGES = 50_000  # row of the first of CIFAR-10's test images
IDLE = """document.querySelector('[data-testid="stApp"]')?.dataset.testScriptState === 'notRunning'"""
DRAWN = f"""place => {IDLE} && document.querySelector('.st-key-lesson-steps')?.innerText.includes(place)
  && document.querySelector('h1') !== null"""
TITLED = f"title => {IDLE} && document.querySelector('h1')?.innerText === title"
TILES = """() => {
  const place = document.querySelector('.st-key-hits');
  const roots = [place, ...(place?.querySelectorAll('*') ?? [])].map(node => node?.shadowRoot ?? node);
  return roots.flatMap(root => root ? [...root.querySelectorAll('img')] : []);
}"""
GRID = f"""before => {{
  const tiles = ({TILES})();
  return {IDLE} && tiles.length > 0 && tiles[0].src !== before && tiles.every(tile => tile.complete);
}}"""
FIRST = f"() => ({TILES})()[0]?.src ?? ''"
BARE = """import streamlit as st
def one(): st.title("One")
def two(): st.title("Two")
st.navigation([st.Page(one, title="One", url_path="one"), st.Page(two, title="Two", url_path="two")]).run()
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--query", default="", help="of the address, such as run=NAME")
    parser.add_argument("--idle", type=float, default=8.0, help="seconds before the first switch (default 8)")
    parser.add_argument("--rounds", type=int, default=3, help="switches to each page after the first (default 3)")
    options = parser.parse_args()
    titles = [title for _, title, _ in ORDER]
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        with open_tab(playwright) as tab:
            _floor(tab, Path(home))
        with open_tab(playwright) as tab:
            started = time.perf_counter()
            with served({**os.environ, "TRANSCLIPPED_RUNS": home}, look_every=0.03) as (address, server):
                tab.goto(f"{address}/?{options.query}")
                _wait(tab, 0)
                print(f"start of the server to Overview drawn  {time.perf_counter() - started:6.2f} s")
                print(f"memory with Overview only              {memory(server):6.0f} MB")
                time.sleep(options.idle)
                _switches(tab, titles, options.rounds)
                print(f"memory after all pages                 {memory(server):6.0f} MB")
                _uploads(tab, f"{address}/retrieval?how=upload&{options.query}")


def _floor(tab, folder: Path) -> None:
    """Time of a switch between pages with only a title."""
    (folder / "bare.py").write_text(BARE)
    titles = ("One", "Two")
    with served(dict(os.environ), app=folder / "bare.py") as (address, _):
        tab.goto(address)
        tab.wait_for_function(TITLED, arg="One", polling=20)
        times = []
        for turn in range(1, 12):
            started = time.perf_counter()
            tab.locator('[data-testid="stSidebarNavLink"]').nth(turn % 2).click()
            tab.wait_for_function(TITLED, arg=titles[turn % 2], polling=20)
            times.append(time.perf_counter() - started)
    print(f"Streamlit's own page switch, best      {min(times):6.2f} s, median {sorted(times)[len(times) // 2]:.2f} s")


def _switches(tab, titles: list[str], rounds: int) -> None:
    times: dict[str, list[float]] = {title: [] for title in titles}
    for _ in range(1 + rounds):
        for number in [*range(1, len(titles)), 0]:
            title = titles[number]
            link = tab.locator('[data-testid="stSidebarNavLink"]').nth(number)
            started = time.perf_counter()
            link.click()
            _wait(tab, number)
            times[title].append(time.perf_counter() - started)
            if tab.locator('[data-testid="stException"]').count():
                raise SystemExit(f"{title} shows an exception")
    print("page switch, first, and best and median of the later ones:")
    for title, (cold, *warm) in times.items():
        later = f"{min(warm):6.2f} s {sorted(warm)[len(warm) // 2]:6.2f} s" if warm else ""
        print(f"  {title:<36} {cold:6.2f} s {later}")


def _uploads(tab, address: str) -> None:
    """Upload a different test image each time, as a PNG."""
    images = load(DataConfig(dataset="cifar10"))
    tab.goto(address)
    field = tab.locator('[data-testid="stFileUploaderDropzoneInput"]')
    field.wait_for(state="attached")
    tab.wait_for_function(f"() => {IDLE}", polling=20)
    times = []
    for number in range(UPLOADS):
        file = io.BytesIO()
        images.image(IMAGES + number).save(file, "PNG")
        before = tab.evaluate(FIRST)
        image = {"name": f"{number}.png", "mimeType": "image/png", "buffer": file.getvalue()}
        started = time.perf_counter()
        field.set_input_files(image)
        tab.wait_for_function(GRID, arg=before, polling=20)
        times.append(time.perf_counter() - started)
        tab.locator('[data-testid="stFileChipDeleteBtn"] button').first.click()
        tab.locator('[data-testid="stFileChip"]').wait_for(state="detached")
        tab.wait_for_function(f"() => {IDLE}", polling=20)
    print("image uploaded to ranked grid        " + " ".join(f"{seconds:6.2f}" for seconds in times) + " s")


def _wait(tab, number: int) -> None:
    tab.wait_for_function(DRAWN, arg=f"{number + 1} of {len(ORDER)}", polling=20)


def memory(server: subprocess.Popen) -> float:
    """Resident megabytes of the server."""
    return psutil.Process(server.pid).memory_info().rss / 1e6


if __name__ == "__main__":
    main()
