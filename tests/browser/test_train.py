"""A training in a real browser: started, followed, reloaded, stopped, resumed, finished, and on other pages."""

import pytest

from tests.browser.conftest import PATIENCE, settled
from tests.browser.test_journeys import go
from transclipped.runs.run import RunDir
from transclipped.training import queue
from transclipped.ui.train.live import lines

pytestmark = pytest.mark.browser
SMALL = {"train": 150, "database": 200, "queries": 50, "validation": 40, "epochs": 800, "batch": 50}
STEPS = 3 * SMALL["epochs"]
POINTS = "() => document.querySelector('.st-key-live-loss .js-plotly-plot')?._fullData?.[0]?.x?.length ?? 0"


def fill(page, label: str, value) -> None:
    box = page.get_by_label(label, exact=True)
    box.fill(str(value))
    box.press("Enter")
    settled(page)


def set_up(page, server, name: str, **other) -> None:
    """Open the form with the settings of a training that outlasts a reload of the page."""
    from playwright.sync_api import expect  # where it is missing these tests are skipped

    settings = SMALL | other
    go(page, server, "train", **settings)
    page.get_by_text("More settings").click()
    settled(page)
    for label, setting in {"Training images": "train", "Epochs": "epochs", "Batch": "batch"}.items():
        expect(page.get_by_label(label, exact=True)).to_have_value(str(settings[setting]), timeout=PATIENCE)
    fill(page, "Name of the run", name)
    page.get_by_text(f"runs/{name}").first.wait_for(state="attached")


def test_a_training_is_followed_stopped_resumed_and_finished_through_a_reload(server, page, own_runs):
    name, run = "browser-run", RunDir(own_runs / "browser-run")
    set_up(page, server, name)
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    page.reload()  # the training does not depend on the browser
    page.wait_for_function(f"({POINTS})() > 1", timeout=3 * PATIENCE)
    seen = page.evaluate(POINTS)
    page.wait_for_function(f"({POINTS})() > {seen}", timeout=PATIENCE)  # curves grow
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume").wait_for()
    assert run.status()["state"] == "stopped"
    done = max(e["step"] for e in run.events("step"))
    assert 0 < done < STEPS
    page.get_by_role("button", name="Resume").click()
    page.get_by_text(f"{name} is finished:").wait_for(timeout=5 * PATIENCE)
    assert run.metrics()["n_queries"] == SMALL["queries"]
    assert max(e["step"] for e in run.events("epoch")) == STEPS
    drawn = len(lines(run.events("step"), "loss")["total"][0])  # a long training's curve is thinned
    page.wait_for_function(f"({POINTS})() === {drawn}", timeout=PATIENCE)
    go(page, server, "retrieval", run=name)
    assert "200 images" in page.locator('[data-testid="stMain"]').inner_text()
    go(page, server, "benchmarks", runs=name)
    assert name in page.locator('[data-testid="stMultiSelect"]').first.inner_text()


def test_a_second_visitor_is_queued_and_cancels(server, page, own_runs):
    set_up(page, server, "first", epochs=1000, batch=4)  # long enough for the other to be queued
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    other = page.context.browser.new_context().new_page()
    go(other, server, "train")
    fill(other, "Name of the run", "second")
    other.get_by_role("button", name="Start", exact=True).click()
    other.get_by_text("1 ahead of it").wait_for(timeout=PATIENCE)
    assert [w.name for w in queue.waiting(own_runs)] == ["second"]
    other.get_by_role("button", name="Cancel", exact=True).click()
    other.get_by_text("second is queued").wait_for(state="detached")
    assert queue.waiting(own_runs) == [] and not (own_runs / "second").exists()
    other.context.close()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Resume").wait_for(timeout=2 * PATIENCE)
    assert RunDir(own_runs / "first").status()["state"] == "stopped"
