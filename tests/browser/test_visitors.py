"""A class opens the link of a server that has just started: everyone gets a page."""

import os

from tests.browser.conftest import PATIENCE, settled
from tests.browser.serving import served

FIRST_PAGES = ("", "retrieval", "clipping", "benchmarks", "anatomy", "embeddings")
DRAWN = ".st-key-lesson-steps"


def test_six_simultaneous_first_visitors_see_no_error(chromium, tmp_path) -> None:
    with served({**os.environ, "TRANSCLIPPED_RUNS": str(tmp_path)}) as (address, _):
        contexts = [chromium.new_context(viewport={"width": 1280, "height": 900}) for _ in FIRST_PAGES]
        tabs = [context.new_page() for context in contexts]
        for tab, name in zip(tabs, FIRST_PAGES, strict=True):
            tab.goto(f"{address}/{name}", wait_until="commit")  # does not wait, so that all arrive together
        for tab, name in zip(tabs, FIRST_PAGES, strict=True):
            tab.wait_for_selector(DRAWN, timeout=PATIENCE)
            settled(tab)
            assert tab.locator("h1").count() == 1, name
        for context in contexts:
            context.close()
