"""Codebooks in a browser: a clicked image becomes the query on Retrieval."""

import shutil

import numpy as np
import pytest

from tests.browser.conftest import PATIENCE, settled
from transclipped.datasets.registry import load
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher

pytestmark = pytest.mark.browser
RUN, OTHER = "codebooks-of-tiny", "codebooks-beside-it"


@pytest.fixture(scope="module")
def searcher(own_runs, tiny_run):
    for name in (RUN, OTHER):
        shutil.copytree(tiny_run, own_runs / name)
    return Searcher(RunDir(own_runs / RUN))


def expected_hits(searcher, identity):
    """IDs of the hits that Retrieval must list for a query or database image."""
    images = load(searcher.run.config.data)
    rows = np.flatnonzero(searcher.stored.query_ids.astype(str) == identity)
    row = int(np.flatnonzero(images.ids.astype(str) == identity)[0])
    query = searcher.stored.queries[rows[0]] if len(rows) else searcher.embed([images.image(row)])[0]
    return [str(hit.id) for hit in searcher.search(np.asarray(query, np.float32), top=24)]


def ids(page, selector):
    return page.locator(selector).evaluate_all("all => all.map((one) => one.dataset.id)")


def clicked(page, tiles):
    """Click the second image, wait for the hits on Retrieval, and return its ID."""
    page.locator(tiles).nth(1).wait_for(timeout=PATIENCE)
    settled(page)
    name = ids(page, tiles)[1]
    page.locator(tiles).nth(1).click()
    page.wait_for_url("**/retrieval?**")
    page.locator(".st-key-hits .ask").first.wait_for()
    settled(page)
    return name


@pytest.mark.parametrize("gallery", ["members", "responding"])
def test_a_clicked_image_is_searched_on_retrieval_and_back_returns(server, page, searcher, gallery):
    page.goto(f"{server}/codebooks?run={RUN}")
    name = clicked(page, f'[class*="st-key-{gallery}"] .ask')
    assert f"run={RUN}" in page.url
    assert ids(page, ".st-key-question .ask") == [name]
    assert ids(page, ".st-key-hits .ask") == expected_hits(searcher, name)
    page.go_back()
    page.wait_for_url(f"{server}/codebooks?run={RUN}")
    page.get_by_role("heading", name="stand for").wait_for()


def test_an_image_of_the_second_run_is_searched_in_that_run(server, page, searcher):
    page.goto(f"{server}/codebooks?run={RUN}&beside={OTHER}")
    name = clicked(page, f'[class*="st-key-members"][class*="{OTHER}"] .ask')
    assert f"run={OTHER}" in page.url
    assert ids(page, ".st-key-question .ask") == [name]


def test_an_old_link_to_a_codebook_opens_it_and_a_section_survives_a_reload(server, page, searcher):
    page.goto(f"{server}/codebooks?run={RUN}&codebook=2")
    page.get_by_text("in codebook 2.").wait_for(timeout=PATIENCE)
    settled(page)
    for section, word in (("Codeword similarity", "section=alike"), ("Usage", "section=use"), ("One codeword", "")):
        page.get_by_role("radio", name=section).click()
        page.wait_for_function(
            "word => word ? location.search.includes(word) : !/section/.test(location.search)", arg=word
        )
        settled(page)
        page.reload()
        settled(page)
        assert page.get_by_role("radio", name=section).get_attribute("aria-checked") == "true"
    page.locator(".js-plotly-plot").first.wait_for(timeout=PATIENCE)
