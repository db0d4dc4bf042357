"""The frame around the pages: steps of the lesson, arrow keys, projector, lesson view, a fresh start, the kept run."""

import json
import os
import re
import shutil

import pytest

from tests.browser.conftest import settled
from transclipped.ui import shell
from transclipped.ui.components.shell import AHEAD

pytestmark = pytest.mark.browser
OLD, NEW = "shell-old", "shell-new"
TITLES = [title for name, title, _ in shell.ORDER if (shell.ROOT / "pages" / f"{name}.py").is_file()]


@pytest.fixture(scope="module")
def two_runs(own_runs, tiny_run):
    for name in (OLD, NEW):
        shutil.copytree(tiny_run, own_runs / name)
        config = json.loads((own_runs / name / "config.json").read_text())
        (own_runs / name / "config.json").write_text(json.dumps(config | {"seed": 7}))
    os.utime(own_runs / OLD / "config.json", (1, 1))  # so that a visitor sees another run at first


def opened(page, server, path="", **query):
    page.goto(f"{server}/{path}?" + "&".join(f"{name}={value}" for name, value in query.items()))
    page.get_by_role("button", name="Back to the start").wait_for()  # the script that listens is there
    settled(page)


def at(page, title):
    """Wait until the steps say that this page is shown, and it has drawn."""
    place = re.compile(f"^{TITLES.index(title) + 1} of ")
    page.locator(".st-key-lesson-steps").get_by_text(place).wait_for()
    page.get_by_role("button", name="Back to the start").wait_for()
    settled(page)


def chosen_run(page) -> str:
    return page.locator(".st-key-run input").first.input_value() or page.locator(".st-key-run").inner_text()


def test_arrow_keys_step_through_the_pages_and_not_beyond_their_ends(server, page, two_runs):
    opened(page, server, run=OLD)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    at(page, TITLES[1])
    page.keyboard.press("ArrowRight")
    at(page, TITLES[2])
    page.keyboard.press("ArrowLeft")
    at(page, TITLES[1])
    assert OLD in chosen_run(page)


def test_scripts_of_other_pages_are_there_before_those_are_opened(server, page, two_runs):
    opened(page, server, run=OLD)
    loaded = "name => performance.getEntriesByType('resource').some(one => one.name.includes(`/${name}.`))"
    for name in AHEAD:
        page.wait_for_function(loaded, arg=name)
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.get_by_role("link", name="Benchmarks").first.click()
    page.locator(".js-plotly-plot").first.wait_for()
    assert not [url for url in fetched if url.endswith(".js") and any(name in url for name in AHEAD)]


def test_arrow_keys_in_a_text_box_move_its_cursor_and_no_page(server, page, two_runs):
    opened(page, server, "train", run=OLD)
    page.get_by_role("textbox", name="Name of the run").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert "/train" in page.url


def test_the_run_survives_page_switches_the_address_and_the_back_button(server, page, two_runs):
    opened(page, server, run=OLD)
    page.locator(".st-key-lesson-next a").click()
    at(page, TITLES[1])
    assert OLD in chosen_run(page)
    assert f"run={OLD}" in page.url
    page.get_by_role("link", name="Codebooks").first.click()
    at(page, "Codebooks")
    assert f"run={OLD}" in page.url
    page.go_back()
    at(page, TITLES[1])
    assert OLD in chosen_run(page)


def test_one_press_of_back_takes_back_one_act(server, page, two_runs):
    opened(page, server, "anatomy", run=OLD)
    page.get_by_role("link", name="See what else it finds").click()
    at(page, "Retrieval")
    settled(page)
    asked = page.url
    page.locator(".st-key-hits .ask").nth(2).click()
    page.wait_for_url("**query_id=**")
    settled(page)
    page.go_back()
    page.wait_for_url(asked)
    settled(page)
    page.go_back()
    at(page, TITLES[1])
    assert page.url == f"{server}/anatomy?run={OLD}"


def test_projector_enlarges_text_and_charts_and_stays_on_the_next_page(server, page, two_runs):
    size = "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
    tick = "() => parseFloat(getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fontSize)"
    opened(page, server, "benchmarks", run=OLD)
    page.locator(".js-plotly-plot .xtick text").first.wait_for()
    before, small = page.evaluate(size), page.evaluate(tick)
    page.locator(".st-key-projector label").click()
    page.wait_for_function(f"before => ({size})() > 1.3 * before", arg=before)
    settled(page)
    page.wait_for_function(f"before => ({tick})() > 1.2 * before", arg=small)
    page.locator(".st-key-lesson-previous a").click()
    at(page, "Train")
    assert page.evaluate(size) > 1.3 * before


def test_a_lesson_hides_the_choice_of_run_on_every_page_and_can_be_left(server, page, two_runs):
    opened(page, server, run=OLD, lesson=1)
    assert not page.locator(".st-key-run").is_visible()
    page.keyboard.press("ArrowRight")
    at(page, TITLES[1])
    assert not page.locator(".st-key-run").is_visible()
    assert re.search("[?&]lesson=1", page.url)
    page.locator(".st-key-lesson label").click()
    page.locator(".st-key-run").wait_for(state="visible")
    assert OLD in chosen_run(page)
    page.wait_for_function("() => !location.search.includes('lesson')")


def test_a_door_of_overview_carries_image_run_and_projector_along(server, page, two_runs):
    opened(page, server, run=OLD, projector="true", picture=5)
    page.get_by_role("link", name="See it retrieve").click()
    at(page, "Retrieval")
    assert OLD in chosen_run(page)
    page.wait_for_function("() => [...document.querySelectorAll('input[type=number]')].some(box => box.value === '5')")
    assert page.evaluate("() => parseFloat(getComputedStyle(document.documentElement).fontSize)") > 20


def test_back_to_the_start_forgets_page_run_and_projector(server, page, two_runs):
    opened(page, server)
    usual = chosen_run(page)
    opened(page, server, "retrieval", run=OLD, projector="true", lesson=1)
    page.get_by_role("button", name="Back to the start").click()
    page.wait_for_url(f"{server}/")
    at(page, "Overview")
    assert chosen_run(page) == usual
    assert page.evaluate("() => getComputedStyle(document.documentElement).fontSize") == "16px"


def test_a_chart_is_saved_as_svg_and_its_data_as_csv(server, page, two_runs):
    opened(page, server, "benchmarks", runs=OLD)
    page.locator(".js-plotly-plot").first.wait_for()  # until then what is below it moves, away from under an open menu
    page.locator('[class*="st-key-save-"] button').first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Data as CSV").click()
    assert download.value.suggested_filename.endswith(".csv")
    lines = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("trace,x,y")
    assert len(lines) > 10
    page.keyboard.press("Escape")
    page.locator(".js-plotly-plot").first.hover()
    with page.expect_download() as download:
        page.locator('.modebar-btn[data-title*="Download"], .modebar-btn[data-title*="plot"]').first.click()
    assert download.value.suggested_filename.endswith(".svg")
    assert "<svg" in download.value.path().read_text(encoding="utf-8")
