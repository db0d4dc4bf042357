"""Pictures of every page, light and dark, wide and narrow: `python -m tests.browser.screenshots --out DIR`.

Starts the app on a free port and drives whichever Chromium is there. README's pictures are made by it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))
PATIENCE = 90_000  # milliseconds
PAUSE = 6.0  # seconds in which charts and pictures finish drawing, on a busy machine too
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main() -> None:
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--pages", nargs="+", default=PAGES, choices=PAGES)
    parser.add_argument("--query", default="", help="of the address, such as run=NAME&delta=0.4")
    parser.add_argument("--widths", nargs="+", type=int, default=[1280, 600], help="pixels")
    parser.add_argument("--schemes", nargs="+", default=["light", "dark"], choices=["light", "dark"])
    parser.add_argument("--height", type=int, help="pixels (default: the whole page)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, _served(Path(home)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
            args=["--no-sandbox", "--disable-gpu"],
        )
        for scheme in options.schemes:
            for width in options.widths:
                for name in options.pages:
                    _take(browser, f"{address}/{'' if name == 'overview' else name}?{options.query}", name,
                          scheme=scheme, width=width, height=options.height, out=options.out)  # fmt: skip
        browser.close()


def _take(browser, url: str, name: str, *, scheme: str, width: int, height: int | None, out: Path) -> None:
    context = browser.new_context(viewport={"width": width, "height": height or 900}, color_scheme=scheme)
    tab = context.new_page()
    tab.goto(url)
    tab.wait_for_selector(READY, timeout=PATIENCE)
    if height is None:  # Streamlit scrolls inside the window, so the window grows instead
        main = tab.locator('[data-testid="stMain"]')
        tab.set_viewport_size({"width": width, "height": min(12_000, main.evaluate("e => e.scrollHeight") + 60)})
    time.sleep(PAUSE)
    tab.wait_for_selector(READY, timeout=PATIENCE)
    path = out / f"{name}-{scheme}-{width}.png"
    tab.screenshot(path=path)
    with Image.open(path) as picture:  # 255 colours look the same here, in a third of the bytes
        small = picture.convert("RGB").quantize(255)
    small.save(path, optimize=True)
    print(path)
    context.close()


class _served:
    """The app on a free port, with an empty folder of own runs."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __enter__(self) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
        command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none"]
        environment = {"TRANSCLIPPED_RUNS": str(self.home), **os.environ}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        for _ in range(400):
            try:
                with urlopen(f"{address}/_stcore/health", timeout=2):
                    return address
            except (URLError, OSError):
                time.sleep(0.25)
        raise SystemExit("the app did not start")

    def __exit__(self, *_) -> None:
        self.process.terminate()
        self.process.wait(20)


if __name__ == "__main__":
    main()
