"""Two tabs of one visitor: what one deletes, renames or stops, the other names, and never shows under another name."""

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
    """Makes a run of one's own with an mAP that no other has."""
    made = []

    def make(name: str, *, value: float) -> RunDir:
        run = RunDir(own_runs / name)
        shutil.copytree(BUNDLED, run.path)
        text = (run.path / "metrics.json").read_text()
        old = run.metrics()["modes"]["asymmetric"]["map"]
        (run.path / "metrics.json").write_text(text.replace(str(old), str(value)))
        made.append(run)
        return run

    yield make
    for run in made:
        shutil.rmtree(run.path, ignore_errors=True)


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


def test_a_run_deleted_elsewhere_is_named_and_box_caption_and_numbers_agree(server, page, own):
    run = own("doomed", value=0.4321)
    go(page, server, "retrieval", run="doomed")
    assert box(page) == "doomed" and "0.432" in caption(page)
    manage.delete(run)
    to(page, "Benchmarks")
    assert "There is no run doomed here" in warned(page)
    shown = box(page)
    assert shown in warned(page) and shown != "doomed" and "0.432" not in caption(page)
    stored = RunDir(ROOT / "assets/runs" / shown).metrics()
    assert f"{stored['modes']['asymmetric']['map']:.3f}" in caption(page)
    assert "run=doomed" not in page.url
    to(page, "Retrieval")
    assert box(page) == shown and page.locator('[data-testid="stAlertContentWarning"]').count() == 0


def test_a_run_renamed_elsewhere_is_followed_and_so_are_links_to_it(server, page, own):
    run = own("before", value=0.4321)
    go(page, server, "retrieval", run="before")
    new = manage.rename(run, "after")
    try:
        to(page, "Benchmarks")
        assert "before is called after now" in warned(page)
        assert box(page) == "after" and "0.432" in caption(page)
        page.wait_for_url("**run=after**")
        go(page, server, "clipping", run="before")
        assert box(page) == "after" and "run=after" in page.url and "before is called after now" in warned(page)
    finally:
        shutil.rmtree(new.path, ignore_errors=True)


def test_what_a_link_asks_for_and_is_not_there_is_named_until_something_else_is_chosen(server, page):
    go(page, server, "retrieval", run="nonsense", query="999999", top="7")
    said = " ".join(page.locator('[data-testid="stAlertContentWarning"]').all_inner_texts())
    assert "no run nonsense" in said and "999999" in said and "top to 7" in said
    assert box(page) in said and "nonsense" not in page.url
    page.get_by_role("button", name="Another one").click()
    page.get_by_text("999999").wait_for(state="detached")
    settled(page)
    page.reload()
    settled(page)
    assert page.locator('[data-testid="stAlertContentWarning"]').count() == 0


def test_a_training_stopped_in_one_tab_stays_watched_in_the_other(server, page, own_runs):
    set_up(page, server, "shared", Epochs=1000, Batch=4)  # long enough to be stopped
    page.get_by_role("button", name="Start", exact=True).click()
    page.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    other = page.context.new_page()
    go(other, server, "train")
    other.get_by_role("button", name="Stop", exact=True).wait_for(timeout=PATIENCE)
    assert "watch=shared" in other.url
    page.get_by_role("button", name="Stop", exact=True).click()
    for tab in (page, other):  # neither is touched any more
        tab.get_by_role("button", name="Resume shared").wait_for(timeout=PATIENCE)
        assert tab.locator("h3").filter(has_text="shared").count() == 1 and "watch=shared" in tab.url
    page.get_by_role("button", name="Resume shared").click()
    other.get_by_role("button", name="Stop", exact=True).wait_for(timeout=2 * PATIENCE)
    other.get_by_role("button", name="Stop", exact=True).click()
    for tab in (page, other):
        tab.get_by_role("button", name="Resume shared").wait_for(timeout=PATIENCE)
