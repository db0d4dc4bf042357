"""Benchmarks in a real browser: runs are selected by link and click, and the report opens offline."""

import re
import shutil

import pytest

from tests.browser.conftest import settled
from transclipped.runs.run import RunDir

pytestmark = pytest.mark.browser
ONE, TWO = "bench-one", "bench-two"


@pytest.fixture
def opened(server, page, own_runs, tiny_run):
    """The page with curves of two runs."""
    for name in (ONE, TWO):
        if not (own_runs / name).exists():
            shutil.copytree(tiny_run, own_runs / name)
    page.goto(f"{server}/benchmarks?runs={ONE}&runs={TWO}")
    page.locator(".js-plotly-plot .legendtext").first.wait_for()
    settled(page)
    return page


def test_the_runs_of_a_link_are_drawn_and_another_curve_changes_the_link(opened):
    legend = opened.locator(".js-plotly-plot .legendtext")
    legend.nth(1).wait_for()
    assert sorted({*legend.all_text_contents()}) == [ONE, TWO]
    opened.get_by_text("precision over recall").first.click()
    opened.wait_for_url(re.compile("curve=precision_recall"))
    opened.locator(".js-plotly-plot .ytitle").filter(has_text="precision over recall").first.wait_for()
    assert f"runs={ONE}" in opened.url and f"runs={TWO}" in opened.url


def test_another_section_survives_a_reload_after_the_study(server, opened):
    for name in ("The study", "Batch", "Measured here"):
        opened.get_by_role("radio", name=name).click()
        opened.get_by_role("radio", name=name, checked=True).wait_for()
        settled(opened)
    opened.wait_for_function("() => !/study/.test(location.search)")
    opened.reload()
    settled(opened)
    assert opened.get_by_role("radio", name="Measured here").get_attribute("aria-checked") == "true"


def test_the_report_opens_offline_with_table_figures_references_and_commands(opened, own_runs, tmp_path):
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Report (HTML)").click()
    file = tmp_path / "report.html"
    download.value.save_as(file)
    reader = opened.context.new_page()
    requests = []
    reader.on("request", lambda request: requests.append(request.url))
    reader.goto(file.as_uri())
    reader.locator(".js-plotly-plot .main-svg").nth(2).wait_for(state="attached")
    text = reader.locator("body").inner_text()
    measured = RunDir(own_runs / ONE).metrics()["modes"]["asymmetric"]["map"]
    assert ONE in text and TWO in text and f"{measured:.4g}" in text
    assert "0.7024" in text and "AAAI22-MeCoQ" in text
    assert "python -m transclipped train" in text
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []
