"""The app in a real browser: its own server, and any installed Chromium."""

import itertools
import os
from pathlib import Path

import pytest

from tests.browser.serving import ROOT, launched, program, served

__all__ = ["PATIENCE", "ROOT", "bounds", "settled"]
PATIENCE = 60_000  # ms; slowness is not a failure
QUIET = 100  # ms
IDLE = """([call, quiet]) => {
  const app = document.querySelector('[data-testid="stApp"]');
  const idle = app?.dataset.testScriptState === "notRunning";
  if (!idle || window.idle?.call !== call) window.idle = { call, since: performance.now() };
  return idle && performance.now() - window.idle.since >= quiet;
}"""
_calls = itertools.count()


@pytest.fixture(scope="session")
def chromium():
    """A browser; without one the tests are skipped, unless TRANSCLIPPED_NEEDS_BROWSER is set."""
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as playwright:
        if program(playwright) is None:
            reason = "no Chromium found: install Debian's chromium, or run `python -m playwright install chromium`"
            if os.environ.get("TRANSCLIPPED_NEEDS_BROWSER"):
                pytest.fail(reason)
            pytest.skip(reason)
        browser = launched(playwright)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def own_runs(tmp_path_factory) -> Path:
    """Folder of the user's runs of the server."""
    return tmp_path_factory.mktemp("own-runs")


@pytest.fixture(scope="session")
def server(own_runs, own_cache):
    """Address of a running app."""
    with served({**os.environ, "TRANSCLIPPED_RUNS": str(own_runs)}) as (address, _):
        yield address


@pytest.fixture
def page(chromium):
    """A visitor's new tab; console errors fail the test."""
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
    """Wait until the page is drawn and no script has run for a moment: one begins shortly after a key or click."""
    tab.wait_for_function(IDLE, arg=[next(_calls), QUIET], timeout=PATIENCE)
    assert tab.locator('[data-testid="stException"]').count() == 0, "an exception is shown"


def bounds(locator) -> dict[str, float]:
    """Where an element stands, in pixels, once it has stayed there for a moment."""
    before = None
    for _ in range(PATIENCE // QUIET):
        now = locator.bounding_box()
        if now is not None and now == before:
            return now
        before = now
        locator.page.wait_for_timeout(QUIET)
    raise AssertionError(f"{locator} is hidden or does not come to rest")


def _serious(message) -> bool:
    noise = ("favicon", "Failed to load resource", "preload", "ERR_INTERNET_DISCONNECTED", "WebGL")
    return message.type == "error" and not any(word in message.text for word in noise)
