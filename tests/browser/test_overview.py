"""Overview in a real browser: the strip moves and can be played again, and the tour leads through the pages."""

import re

import pytest

from tests.browser.conftest import bounds, settled
from transclipped.ui.tour import KEY, STEPS

pytestmark = pytest.mark.browser
MOVING = "() => document.querySelector('.strip').getAnimations({subtree: true}).length"


@pytest.fixture
def overview(server, page):
    page.goto(server)
    page.locator(".strip .scissors").first.wait_for(state="attached")
    settled(page)
    return page


def test_the_strip_comes_to_rest_and_plays_again(overview):
    overview.wait_for_function("() => !document.querySelector('.strip').getAnimations({subtree: true}).length")
    ends = overview.locator(".strip figure").evaluate_all("all => all.map(f => f.getBoundingClientRect().x)")
    assert ends == sorted(ends) and len(ends) == 7
    overview.get_by_role("button", name="Play again").click()
    overview.wait_for_function(MOVING)
    overview.wait_for_function("() => !document.querySelector('.strip').getAnimations({subtree: true}).length")
    again = overview.locator(".strip figure").evaluate_all("all => all.map(f => f.getBoundingClientRect().x)")
    assert again == ends


def test_without_motion_the_strip_shows_its_end_at_once(server, chromium):
    context = chromium.new_context(reduced_motion="reduce")
    tab = context.new_page()
    tab.goto(server)
    tab.locator(".strip .scissors").first.wait_for()
    assert tab.evaluate(MOVING) == 0
    context.close()


def test_the_tour_leads_from_the_idea_to_the_gain_and_back(overview):
    for number, step in enumerate(STEPS[1:], 2):
        overview.locator(".st-key-tour a").click()
        overview.locator(".st-key-tour").get_by_text(f"{number} of {len(STEPS)}").wait_for()
        settled(overview)
        assert f"{KEY}={number}" in overview.url and f"/{step.page}" in overview.url
        for name, value in step.query.items():  # the first section is the default, which the address omits
            assert re.search(f"[?&]{name}={value}", overview.url) or value == "tune"
    overview.locator(".st-key-tour a").click()
    overview.locator(".strip").wait_for()
    assert KEY not in overview.url


def test_nothing_is_wider_than_a_narrow_screen(server, page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto(server)
    page.locator(".strip").wait_for()
    settled(page)
    assert page.evaluate("() => document.scrollingElement.scrollWidth") <= 360
    right = page.locator(".strip figure").evaluate_all(
        "all => Math.max(...all.map(f => f.getBoundingClientRect().right))"
    )
    assert right <= 360


def test_four_results_stand_two_by_two_in_a_narrow_window(overview, server):
    overview.set_viewport_size({"width": 600, "height": 900})
    settled(overview)
    boxes = [bounds(box) for box in overview.locator('.st-key-results [data-testid="stMetric"]').all()]
    assert [len({round(box[side]) for box in boxes}) for side in ("x", "y")] == [2, 2] and len(boxes) == 4
