"""The app as a separate process on a free port, and any installed Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
ARGUMENTS = ["--no-sandbox", "--disable-gpu"]
PATIENCE = 100.0  # seconds for the app to start


@contextmanager
def served(
    environment: dict[str, str], *, look_every: float = 0.25, app: Path = ROOT / "app.py", module: str = "streamlit"
) -> Iterator[tuple[str, subprocess.Popen]]:
    """Address and process of a running app.

    Args:
        look_every: seconds between two checks whether it responds.
        module: that runs it, Streamlit or a wrapper.

    Raises:
        RuntimeError: it does not start; the message contains its output.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", module, "run", str(app), "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none"]
    with tempfile.TemporaryFile() as log:  # an unread pipe would fill up and block the app
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        address = f"http://127.0.0.1:{port}"
        try:
            if not _responds(f"{address}/_stcore/health", process, look_every):
                log.seek(0)
                raise RuntimeError(f"the app did not start: {log.read().decode(errors='replace')}")
            yield address, process
        finally:
            process.terminate()
            process.wait(20)


@contextmanager
def open_tab(playwright, *, patience: float = 120.0) -> Iterator:
    """A tab of 1280 × 900 px in a browser of its own.

    Args:
        patience: seconds that it waits for anything.
    """
    browser = launched(playwright)
    try:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(1000 * patience)
        yield page
    finally:
        browser.close()


@contextmanager
def fresh_app(*, patience: float = 120.0) -> Iterator[tuple[str, object]]:
    """Address of the app, served without runs of one's own, and a tab to open it in."""
    from playwright.sync_api import sync_playwright  # optional for the tests that import this file

    with (
        tempfile.TemporaryDirectory() as home,
        served({**os.environ, "TRANSCLIPPED_RUNS": home}) as (address, _),
        sync_playwright() as playwright,
        open_tab(playwright, patience=patience) as page,
    ):
        yield address, page


def program(playwright) -> str | None:
    """Path of the system's browser, else of playwright's own; None if there is none."""
    own = Path(playwright.chromium.executable_path)
    return next((path for name in NAMES if (path := shutil.which(name))), str(own) if own.exists() else None)


def launched(playwright):
    """A running browser; without one, playwright raises its own error."""
    return playwright.chromium.launch(executable_path=program(playwright), args=ARGUMENTS)


def _responds(url: str, process: subprocess.Popen, look_every: float) -> bool:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2):
                return True
        except (URLError, OSError):
            time.sleep(look_every)
    return False
