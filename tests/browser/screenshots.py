"""Screenshots of every page, light and dark, wide and narrow: `python -m tests.browser.screenshots --out DIR`.

Starts the app on a free port in any installed Chromium. README's screenshots come from it.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.browser.serving import ROOT, launched, served

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PATIENCE = 90_000  # ms
PAUSE = 6.0  # seconds for charts and images to draw, even on a busy machine
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main() -> None:
    """Take the requested screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--pages", nargs="+", default=PAGES, choices=PAGES)
    parser.add_argument("--query", default="", help="of the address, such as run=NAME&delta=0.4")
    parser.add_argument("--widths", nargs="+", type=int, default=[1280, 600], help="pixels")
    parser.add_argument("--schemes", nargs="+", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--height", type=int, help="pixels (default: the whole page)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        served({"TRANSCLIPPED_RUNS": home, **os.environ}) as (address, _),
        sync_playwright() as playwright,
    ):
        browser = launched(playwright)
        for scheme in options.schemes:
            for width in options.widths:
                for name in options.pages:
                    url = f"{address}/{'' if name == 'overview' else name}?{options.query}"
                    path = options.out / f"{name}-{scheme}-{width}.png"
                    _take(browser, url, path, scheme=scheme, width=width, height=options.height)
        browser.close()


def _take(browser, url: str, path: Path, *, scheme: str, width: int, height: int | None) -> None:
    context = browser.new_context(viewport={"width": width, "height": height or 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(url)
    tab.wait_for_selector(READY, timeout=PATIENCE)
    if height is None:  # Streamlit scrolls inside the window, so the window grows instead
        main = tab.locator('[data-testid="stMain"]')
        tab.set_viewport_size({"width": width, "height": min(12_000, main.evaluate("e => e.scrollHeight") + 60)})
    time.sleep(PAUSE)
    tab.wait_for_selector(READY, timeout=PATIENCE)
    tab.screenshot(path=path)
    with Image.open(path) as image:  # 255 colours look the same, in a third of the size
        small = image.convert("RGB").quantize(255)
    small.save(path, optimize=True)
    print(path)
    context.close()


if __name__ == "__main__":
    main()
