"""Pipeline in a real browser: type a line, upload an image, follow the link, and compare with the library."""

from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

import transclipped as tc
from tests.browser.conftest import PATIENCE, settled
from transclipped.ui.pipeline import ladder
from transclipped.ui.pipeline.query import FIRST

pytestmark = pytest.mark.browser
RUN = "run:hybrid-caltech101-32-clipped"
TYPED = f"{RUN} | qe(5) | flow(10)"
RUNG, FIELD = ".rungs .rung", '.st-key-pipe input[type="text"]'
INPUT = '[data-testid="stFileUploader"] input[type="file"]'


@pytest.fixture
def at(server, page):
    def go(**query):
        page.goto(f"{server}/pipeline?" + "&".join(f"{name}={quote(value)}" for name, value in query.items()))
        page.locator(FIELD).wait_for(timeout=PATIENCE)
        settled(page)
        return page

    return go


def numbers(page, name):
    """A number below each column."""
    return page.locator(RUNG).evaluate_all(
        """(all, name) => all.map((one) => [...one.querySelectorAll("dt")]
        .find((term) => term.textContent === name).nextElementSibling.textContent)""",
        name,
    )


def wait_for(page, titles):
    page.wait_for_function(
        """(titles) => [...document.querySelectorAll(".rungs .rung h2")].map((h) => h.textContent).join() === titles""",
        arg=",".join(titles),
        timeout=PATIENCE,
    )
    settled(page)


def library(line, query=FIRST):
    pipeline = tc.Pipeline(line).fit("caltech101")
    return pipeline.ladder(str(pipeline.source.stored.query_ids[query]), means=True)


def test_the_ladder_of_a_typed_line_is_the_librarys_and_its_link_shows_it_again(at):
    page = at()
    page.locator(FIELD).fill(TYPED)
    page.locator(FIELD).press("Enter")
    wait_for(page, ["run", "qe", "flow"])
    rungs = library(TYPED)
    shown = {name: numbers(page, name) for name in ("AP", "AP-min", "mAP", "mAP-min")}
    assert shown["AP"] == [f"{rung.ap:.3f}" for rung in rungs]
    assert shown["AP-min"] == [f"{rung.ap_r:.3f}" for rung in rungs]
    assert shown["mAP"] == [f"{rung.map:.3f}" for rung in rungs]
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    wait_for(page, ["run", "qe", "flow"])
    page.wait_for_function("([field, text]) => document.querySelector(field)?.value === text", arg=[FIELD, TYPED])
    assert {name: numbers(page, name) for name in shown} == shown


def test_a_wrong_line_keeps_the_page_and_says_why(at):
    page = at(pipe="head32 | gme")
    assert page.locator('[data-testid="stAlert"]').count() == 1
    assert page.locator(RUNG).count() == 0
    page.locator(FIELD).fill(RUN)
    page.locator(FIELD).press("Enter")
    wait_for(page, ["run"])
    assert page.locator('[data-testid="stAlert"]').count() == 0


def test_an_uploaded_image_has_hits(at, tmp_path):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (80, 100, 3), np.uint8))
    image.save(tmp_path / "noise.png")
    page = at(pipe=RUN, pipe_how="upload")
    page.locator(INPUT).set_input_files(tmp_path / "noise.png")
    wait_for(page, ["run"])
    pipeline = tc.Pipeline(RUN).fit("caltech101")
    rows = pipeline.search(image, k=ladder.SHOWN).rows[0]
    names = [f"rank {i}, {', '.join(pipeline.source.described(row)[1])}" for i, row in enumerate(rows, start=1)]
    alts = page.locator(f"{RUNG} img").evaluate_all("all => all.map((one) => one.alt)")
    assert [alt.rpartition(", class unknown")[0] for alt in alts] == names


def test_images_of_the_ladder_are_drawn(at):
    page = at()
    wait_for(page, ["run", "qe", "k-reciprocal"])
    drawn = page.locator(f"{RUNG} img").evaluate_all("all => all.map((one) => one.naturalWidth)")
    assert len(drawn) == 3 * ladder.SHOWN and min(drawn) > 0
