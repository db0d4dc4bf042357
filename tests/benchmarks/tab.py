"""A visitor with a tab of Chromium, who waits until the page is drawn."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import urlencode

from playwright.async_api import Error, Page, async_playwright

from tests.browser.serving import ARGUMENTS, program
from transclipped.ui.shell import ORDER

__all__ = ["Error", "Tab", "browser"]
PLACES = {"": 0, **{name: place for place, (name, _, _) in enumerate(ORDER)}}
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"]'
MAIN = "[data-testid=stMain] "
CONTROLS = [
    MAIN + kind
    for kind in (
        "[data-testid=stButtonGroup] button",
        "[data-testid=stNumberInputStepUp]",
        "[data-testid=stCheckbox] label",
        "[role=slider]",
        "button.ask",
    )
]
LONGEST = 60_000  # milliseconds that an act may take


class Tab:
    """A tab that shows nothing yet; the first page comes by its address, the others by their links."""

    def __init__(self, page: Page, address: str, query: dict[str, str]) -> None:
        self._page, self._address, self._query = page, address, urlencode(query)
        self._seen = False
        self.exceptions = 0

    async def visit(self, page: str) -> None:
        if self._seen:
            await self._page.locator('[data-testid="stSidebarNavLink"]').nth(PLACES[page]).click(timeout=10_000)
        else:
            await self._page.goto(f"{self._address}/{page}?{self._query}")
        self._seen = True
        await self._drawn()

    async def turn(self, choice: random.Random) -> bool:
        """Turn one of the controls; False if there is none of the kind that was chosen."""
        controls = self._page.locator(choice.choice(CONTROLS))
        n = await controls.count()
        if not n:
            return False
        place = controls.nth(choice.randrange(n))
        turns = await place.get_attribute("role") == "slider"
        await (place.press("ArrowRight") if turns else place.click(timeout=10_000))
        await self._drawn()
        return True

    async def _drawn(self) -> None:
        await self._page.wait_for_timeout(50)
        await self._page.wait_for_selector(IDLE, timeout=LONGEST)
        self.exceptions += await self._page.locator('[data-testid="stException"]').count()


@asynccontextmanager
async def browser() -> AsyncIterator[Callable[[str, dict[str, str]], AbstractAsyncContextManager[Tab]]]:
    """What opens a tab of a browser at an address, as a visitor of its own."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=program(playwright), args=ARGUMENTS)

        @asynccontextmanager
        async def opened(address: str, query: dict[str, str]) -> AsyncIterator[Tab]:
            context = await chromium.new_context(viewport={"width": 1280, "height": 900})
            yield Tab(await context.new_page(), address, query)
            await context.close()

        yield opened
        await chromium.close()
