"""The app in a real browser: a server of its own, and whichever Chromium is there."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60_000  # milliseconds; a slow machine is no failure


@pytest.fixture(scope="session")
def chromium():
    """A browser; without one the tests are skipped, unless TRANSCLIPPED_NEEDS_BROWSER is set."""
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        names = ("chromium", "chromium-browser", "google-chrome", "chrome")
        program = next((found for name in names if (found := shutil.which(name))), None)
        own = Path(playwright.chromium.executable_path)
        program = program or (str(own) if own.exists() else None)
        if program is None:
            reason = "no Chromium found: install Debian's chromium, or run `python -m playwright install chromium`"
            if os.environ.get("TRANSCLIPPED_NEEDS_BROWSER"):
                pytest.fail(reason)
            pytest.skip(reason)
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def own_runs(tmp_path_factory) -> Path:
    """Folder of the server's own runs."""
    return tmp_path_factory.mktemp("own-runs")


@pytest.fixture(scope="session")
def server(own_runs, own_cache):
    """Address of a running app."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    command += ["--server.address", "127.0.0.1", "--server.headless", "true", "--server.fileWatcherType", "none"]
    environment = {**os.environ, "TRANSCLIPPED_RUNS": str(own_runs)}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(f"{address}/_stcore/health", process)
        yield address
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def page(chromium):
    """A fresh tab of a visitor; its console errors fail the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE)
    errors: list[str] = []
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("console", lambda message: errors.append(message.text) if _serious(message) else None)
    yield tab
    context.close()
    assert not errors, errors


def settled(tab) -> None:
    """Wait until the page has drawn and nothing runs."""
    tab.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=PATIENCE)
    assert tab.locator('[data-testid="stException"]').count() == 0, "an exception is shown"


def _serious(message) -> bool:
    noise = ("favicon", "Failed to load resource", "preload", "ERR_INTERNET_DISCONNECTED", "WebGL")
    return message.type == "error" and not any(word in message.text for word in noise)


def _wait_for(url: str, process: subprocess.Popen) -> None:
    for _ in range(240):
        try:
            with urlopen(url, timeout=2):
                return
        except (URLError, OSError):
            assert process.poll() is None, process.stdout.read().decode()
            time.sleep(0.25)
    pytest.fail("the app did not start within a minute")
