"""Two tabs of one visitor: what one deletes, renames or stops, the other reports."""

import shutil

import pytest

from tests.browser.conftest import PATIENCE, ROOT, settled
from tests.browser.test_journeys import go
from tests.browser.test_train import set_up
from transclipped.runs import manage
from transclipped.runs.run import RunDir

pytestmark = pytest.mark.browser
BUNDLED = ROOT / "assets/runs/cnn-cifar10-32-clipped"


@pytest.fixture
def own(own_runs):
    """Creates a user's run with a unique mAP."""

    def make(name: str, *, value: float) -> RunDir:
        run = RunDir(own_runs / name)
        shutil.copytree(BUNDLED, run.path)
        text = (run.path / "metrics.json").read_text()
        old = run.metrics()["modes"]["asymmetric"]["map"]
        (run.path / "metrics.json").write_text(text.replace(str(old), str(value)))
        return run

    yield make
    for name in ("doomed", "before", "after"):
        shutil.rmtree(own_runs / name, ignore_errors=True)


def box(page) -> str:
    return page.locator('[data-testid="stSidebar"] [data-testid="stSelectbox"] input').first.input_value()


def caption(page) -> str:
    return page.locator('[data-testid="stSidebar"] [data-testid="stCaptionContainer"]').first.inner_text()


def warned(page) -> str:
    return page.locator('[data-testid="stMain"] [data-testid="stAlertContentWarning"]').first.inner_text()


def to(page, title: str) -> None:
    page.locator('[data-testid="stSidebarNavLink"]').filter(has_text=title).click()
    page.locator("h1").filter(has_text=title).wait_for()
    settled(page)


def test_a_run_deleted_elsewhere_is_reported_and_box_caption_and_numbers_agree(server, page, own):
    run = own("doomed", value=0.4321)
    go(page, server, "retrieval", run="doomed")
    assert box(page) == "doomed" and "0.432" in caption(page)
    manage.delete(run)
    to(page, "Benchmarks")
    assert "doomed" in warned(page)
    name = box(page)
    assert name in warned(page) and name != "doomed" and "0.432" not in caption(page)
    stored = RunDir(ROOT / "assets/runs" / name).metrics()
    assert f"{stored['modes']['asymmetric']['map']:.3f}" in caption(page)
    assert "run=doomed" not in page.url
    to(page, "Retrieval")
    assert box(page) == name and page.locator('[data-testid="stAlertContentWarning"]').count() == 0


def test_a_run_renamed_elsewhere_is_followed_and_so_are_links_to_it(server, page, own):
    run = own("before", value=0.4321)
    go(page, server, "retrieval", run="before")
    manage.rename(run, "after")
    to(page, "Benchmarks")
    assert "before" in warned(page) and "after" in warned(page)
    assert box(page) == "after" and "0.432" in caption(page)
    page.wait_for_url("**run=after**")
    go(page, server, "clipping", run="before")
    assert box(page) == "after" and "run=after" in page.url and "before" in warned(page)


def test_missing_values_in_a_link_are_reported_until_another_is_chosen(server, page):
    go(page, server, "retrieval", run="nonsense", query="999999", top="7")
    notices = " ".join(page.locator('[data-testid="stAlertContentWarning"]').all_inner_texts())
    assert "nonsense" in notices and "999999" in notices and "top to 7" in notices
    assert box(page) in notices and "nonsense" not in page.url
    page.get_by_role("button", name="Another one").click()
    page.get_by_text("999999").wait_for(state="detached")
    settled(page)
    page.reload()
    settled(page)
    assert page.locator('[data-testid="stAlertContentWarning"]').count() == 0


def test_a_training_stopped_in_one_tab_stays_watched_in_the_other(server, page, own_runs):
    set_up(page, server, "shared", epochs=1000, batch=4)  # enough time to stop it
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    other = page.context.new_page()
    go(other, server, "train")
    other.get_by_role("button", name="Stop", exact=True).wait_for(timeout=PATIENCE)
    assert "watch=shared" in other.url
    page.get_by_role("button", name="Stop", exact=True).click()
    for tab in (page, other):  # without further input
        tab.get_by_role("button", name="Resume shared").wait_for(timeout=PATIENCE)
        assert tab.locator("h2").filter(has_text="shared").count() == 1 and "watch=shared" in tab.url
    page.get_by_role("button", name="Resume shared").click()
    other.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    other.get_by_role("button", name="Stop", exact=True).click()
    for tab in (page, other):
        tab.get_by_role("button", name="Resume shared").wait_for(timeout=PATIENCE)
