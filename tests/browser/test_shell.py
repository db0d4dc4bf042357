"""The frame around the pages: order, icons, arrow keys, projector, lesson view, a fresh start, the chosen run."""

import json
import re
import shutil

import pytest

from tests.browser.conftest import settled
from transclipped.ui import shell
from transclipped.ui.components.shell import AHEAD

pytestmark = pytest.mark.browser
RUN = "shell-run"  # not the default
TITLES = [title for _, title, _ in shell.ORDER]


@pytest.fixture(scope="module")
def own_run(own_runs, tiny_run):
    config = shutil.copytree(tiny_run, own_runs / RUN) / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"seed": 7}))


def opened(page, server, path="", **query):
    page.goto(f"{server}/{path}?" + "&".join(f"{name}={value}" for name, value in query.items()))
    page.get_by_role("button", name="Back to the start").wait_for()  # the script is listening
    settled(page)


def at(page, title):
    """Wait until this page is shown and drawn."""
    page.locator(".st-key-lesson-steps").get_by_text(re.compile(f"^{TITLES.index(title) + 1} of ")).wait_for()
    page.get_by_role("button", name="Back to the start").wait_for()
    settled(page)


def chosen_run(page) -> str:
    return page.locator(".st-key-run input").first.input_value() or page.locator(".st-key-run").inner_text()


def test_each_link_of_the_navigation_has_its_icon(server, page):
    opened(page, server)
    icon = "links => links.map(link => getComputedStyle(link, '::before').content.split('\"')[1])"
    assert page.locator('[data-testid="stSidebarNavLink"]').evaluate_all(icon) == [icon for *_, icon in shell.ORDER]
    assert page.evaluate("document.fonts.check('16px \"Material Symbols Rounded\"')")


def test_arrow_keys_step_through_the_pages_and_not_beyond_their_ends(server, page, own_run):
    opened(page, server, run=RUN)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    at(page, TITLES[1])
    page.keyboard.press("ArrowRight")
    at(page, TITLES[2])
    page.keyboard.press("ArrowLeft")
    at(page, TITLES[1])
    assert RUN in chosen_run(page)


def test_scripts_of_other_pages_are_preloaded(server, page, own_run):
    opened(page, server, run=RUN)
    loaded = "name => performance.getEntriesByType('resource').some(one => one.name.includes(`/${name}.`))"
    for name in AHEAD:
        page.wait_for_function(loaded, arg=name)
    fetched = []
    page.on("request", lambda request: fetched.append(request.url))
    page.get_by_role("link", name="Benchmarks").first.click()
    page.locator(".js-plotly-plot").first.wait_for()
    assert not [url for url in fetched if url.endswith(".js") and any(name in url for name in AHEAD)]


def test_arrow_keys_in_a_text_box_do_not_change_the_page(server, page, own_run):
    opened(page, server, "train", run=RUN)
    page.get_by_role("textbox", name="Name of the run").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    assert "/train" in page.url


def test_the_run_stays_through_page_switches_and_the_back_button(server, page, own_run):
    opened(page, server, run=RUN)
    page.locator(".st-key-lesson-next a").click()
    at(page, TITLES[1])
    assert RUN in chosen_run(page)
    assert f"run={RUN}" in page.url
    page.get_by_role("link", name="Codebooks").first.click()
    at(page, "Codebooks")
    assert f"run={RUN}" in page.url
    page.go_back()
    at(page, TITLES[1])
    assert RUN in chosen_run(page)


def test_back_undoes_one_action(server, page, own_run):
    opened(page, server, "anatomy", run=RUN)
    page.get_by_role("link", name="See what else it finds").click()
    at(page, "Retrieval")
    settled(page)
    first = page.url
    page.locator(".st-key-hits .ask").nth(2).click()
    page.wait_for_url("**query_id=**")
    settled(page)
    page.go_back()
    page.wait_for_url(first)
    settled(page)
    page.go_back()
    at(page, TITLES[1])
    assert page.url == f"{server}/anatomy?run={RUN}"


def test_the_projector_enlarges_text_and_charts_on_all_pages(server, page, own_run):
    size = "() => parseFloat(getComputedStyle(document.documentElement).fontSize)"
    tick = "() => parseFloat(getComputedStyle(document.querySelector('.js-plotly-plot .xtick text')).fontSize)"
    opened(page, server, "benchmarks", run=RUN)
    page.locator(".js-plotly-plot .xtick text").first.wait_for()
    before, small = page.evaluate(size), page.evaluate(tick)
    page.locator(".st-key-projector label").click()
    page.wait_for_function(f"before => ({size})() > 1.3 * before", arg=before)
    settled(page)
    page.wait_for_function(f"before => ({tick})() > 1.2 * before", arg=small)
    page.locator(".st-key-lesson-previous a").click()
    at(page, "Train")
    assert page.evaluate(size) > 1.3 * before


def test_the_lesson_view_hides_the_choice_of_run_on_every_page_until_left(server, page, own_run):
    opened(page, server, run=RUN, lesson=1)
    assert not page.locator(".st-key-run").is_visible()
    page.keyboard.press("ArrowRight")
    at(page, TITLES[1])
    assert not page.locator(".st-key-run").is_visible()
    assert re.search("[?&]lesson=1", page.url)
    page.locator(".st-key-lesson label").click()
    page.locator(".st-key-run").wait_for(state="visible")
    assert RUN in chosen_run(page)
    page.wait_for_function("() => !location.search.includes('lesson')")


def test_a_link_of_overview_keeps_image_run_and_projector(server, page, own_run):
    opened(page, server, run=RUN, projector="true", picture=5)
    page.get_by_role("link", name="Search with it").click()
    at(page, "Retrieval")
    assert RUN in chosen_run(page)
    page.wait_for_function("() => [...document.querySelectorAll('input[type=number]')].some(box => box.value === '5')")
    assert page.evaluate("() => parseFloat(getComputedStyle(document.documentElement).fontSize)") > 20


def test_back_to_the_start_resets_page_run_and_projector(server, page, own_run):
    opened(page, server)
    default = chosen_run(page)
    opened(page, server, "retrieval", run=RUN, projector="true", lesson=1)
    page.get_by_role("button", name="Back to the start").click()
    page.wait_for_url(f"{server}/")
    at(page, "Overview")
    assert chosen_run(page) == default
    assert page.evaluate("() => getComputedStyle(document.documentElement).fontSize") == "16px"


def test_a_chart_is_saved_as_svg_and_its_data_as_csv(server, page, own_run):
    opened(page, server, "benchmarks", runs=RUN)
    page.locator(".js-plotly-plot").first.wait_for()  # until then the layout below it moves and closes the menu
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
