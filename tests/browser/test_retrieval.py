"""Retrieval in a real browser: click, keys, paste, drop and marks, and the hits of each."""

import base64
import shutil

import numpy as np
import pytest

from tests.browser.conftest import PATIENCE, bounds, settled
from tests.image_files import encoded
from transclipped.datasets.registry import load
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.reranking.rocchio import rocchio
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.ui.retrieval.hits import SECTIONS

pytestmark = pytest.mark.browser
RUN = "retrieval-of-tiny"
HITS, QUERY = ".st-key-hits .ask", ".st-key-question .ask"
HARDEST = ".st-key-hardest .ask"
ZONE = '.st-key-pictures-place [data-testid="stFileUploaderDropzone"]'
INPUT = '.st-key-pictures-place [data-testid="stFileUploaderDropzoneInput"]'


@pytest.fixture(scope="module")
def engine(own_runs, tiny_run):
    shutil.copytree(tiny_run, own_runs / RUN)
    return Searcher(RunDir(own_runs / RUN))


@pytest.fixture(scope="module")
def images(engine):
    return load(engine.run.config.data)


@pytest.fixture
def at(server, page, engine):
    """Opens the page with parameters in its address, and waits for `until`."""

    def go(until=HITS, **query):
        page.goto(f"{server}/retrieval?run={RUN}" + "".join(f"&{name}={value}" for name, value in query.items()))
        page.locator(until).first.wait_for(timeout=PATIENCE)
        settled(page)
        return page

    return go


def best(engine, query, top=24):
    return [str(hit.id) for hit in engine.search(np.asarray(query, np.float32), top=top)]


def ids_in(page, selector=HITS):
    return page.locator(selector).evaluate_all("all => all.map((one) => one.dataset.id)")


def shows(page, expected, selector=HITS):
    """Wait until a gallery holds these images in this order."""
    deadline = PATIENCE // 100
    while ids_in(page, selector) != expected and deadline:
        page.wait_for_timeout(100)
        deadline -= 1
    assert ids_in(page, selector) == expected


def test_a_click_searches_with_the_image(at, engine):
    page = at(query=3)
    first = best(engine, engine.stored.queries[3])
    shows(page, first)
    page.locator(HITS).nth(2).click()
    page.wait_for_url(f"**query_id={first[2]}**")
    shows(page, [first[2]], QUERY)
    settled(page)
    row = np.flatnonzero(engine.stored.database_ids.astype(str) == first[2])[0]
    top = np.flatnonzero(engine.stored.database_ids.astype(str) == ids_in(page)[0])[0]
    assert (engine.stored.codes[row] == engine.stored.codes[top]).all()  # itself, or an image of its code


def test_arrow_keys_move_through_the_grid_and_enter_searches(at, engine):
    page = at(query=1)
    first = best(engine, engine.stored.queries[1])
    page.locator(HITS).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert "/retrieval" in page.url
    page.keyboard.press("Enter")
    page.wait_for_url(f"**query_id={first[1]}**")


def test_several_clicked_images_form_a_query_and_one_can_be_removed(at, engine, images):
    page = at(query=2)
    first = best(engine, engine.stored.queries[2])
    page.locator(".st-key-add label").click()
    settled(page)
    page.locator(HITS).nth(1).click()
    together = [str(engine.stored.query_ids[2]), first[1]]
    shows(page, together, QUERY)
    row = int(np.flatnonzero(images.ids.astype(str) == first[1])[0])
    mean = (engine.stored.queries[2].astype(np.float32) + engine.embed([images.image(row)])[0]) / 2
    shows(page, best(engine, mean))
    page.locator(QUERY).nth(0).click()
    shows(page, [first[1]], QUERY)


def test_tiny_images_are_enlarged_by_whole_multiples(at):
    page = at()
    page.locator(f"{HITS} img").first.wait_for()
    page.wait_for_load_state("networkidle")
    sizes = page.locator(f"{HITS} img").evaluate_all(
        "all => all.map((one) => [getComputedStyle(one).imageRendering, one.getBoundingClientRect().width, "
        "one.complete && one.naturalWidth])"
    )
    assert {rendering for rendering, _, _ in sizes} == {"pixelated"}
    assert {width % 32 for _, width, _ in sizes} == {0}
    assert sizes[0][2] == 32  # it is loaded


def test_an_uploaded_image_is_searched(at, engine, images):
    page = at(ZONE, how="upload")
    image = images.image(123)
    page.locator(INPUT).set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": encoded(image)})
    shows(page, best(engine, engine.embed([image])[0]))


def test_a_dropped_image_is_searched(at, engine, images):
    page = at(ZONE, how="upload")
    image = images.image(77)
    transfer = page.evaluate_handle(
        """(file) => {
            const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "dropped.png", { type: "image/png" }));
            return transfer;
        }""",
        base64.b64encode(encoded(image)).decode(),
    )
    page.dispatch_event(ZONE, "drop", {"dataTransfer": transfer})
    shows(page, best(engine, engine.embed([image])[0]))


COPY = """async (file) => {
    const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
    await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
}"""


@pytest.mark.parametrize("how", ["button", "keys"])
def test_a_pasted_image_is_searched(at, engine, images, how):
    page = at(ZONE, how="upload")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    image = images.image(55)
    button = page.get_by_role("button", name="Paste from the clipboard")
    button.wait_for()
    page.evaluate(COPY, base64.b64encode(encoded(image)).decode())
    if how == "button":
        button.click()
    else:
        page.keyboard.press("Control+V")
    shows(page, best(engine, engine.embed([image])[0]))


def test_text_in_the_clipboard_is_refused(at):
    page = at(ZONE, how="upload")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("() => navigator.clipboard.writeText('words')")
    page.get_by_role("button", name="Paste from the clipboard").click()
    page.get_by_text("holds no image").wait_for()


def test_a_missing_camera_is_reported(at):
    page = at('[data-testid="stCameraInput"]', how="camera")
    page.get_by_text("finds no camera").wait_for()


def test_marks_move_the_query_by_rocchios_rule(at, engine):
    page = at(section="teach", query=4)
    first = best(engine, engine.stored.queries[4])
    shows(page, first)
    page.locator(".st-key-hits .tile").nth(3).get_by_role("button", name="good").click()
    page.get_by_text("1 good, 0 bad.").wait_for()
    page.locator(".st-key-hits .tile").nth(0).get_by_role("button", name="bad").click()
    page.get_by_text("1 good, 1 bad.").wait_for()
    page.get_by_role("button", name="Search again").click()
    names, books = engine.stored.database_ids.astype(str), engine.stored.codebooks
    good, bad = (decode(books, engine.stored.codes[names == first[i]]) for i in (3, 0))
    shows(page, best(engine, rocchio(engine.stored.queries[4], good, bad, codebooks=len(books))))


def test_a_click_on_a_hardest_query_searches_with_it(at, engine):
    page = at(HARDEST, section="extremes", query=0)
    name = ids_in(page, HARDEST)[1]
    page.locator(HARDEST).nth(1).click()
    shows(page, [name], QUERY)
    number = int(np.flatnonzero(engine.stored.query_ids.astype(str) == name)[0])
    shows(page, best(engine, engine.stored.queries[number], 12))  # few beside a section


def test_nothing_is_wider_than_a_narrow_window(at):
    page = at(section="teach")
    page.set_viewport_size({"width": 600, "height": 900})
    page.wait_for_timeout(300)
    assert page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth") <= 0
    edge = page.locator(HITS).evaluate_all("all => Math.max(...all.map((one) => one.getBoundingClientRect().right))")
    assert edge <= 600


def test_a_click_on_a_hit_beside_why_explains_it(at, engine):
    page = at(section="why", query=4)
    first = best(engine, engine.stored.queries[4])
    shows(page, first)
    page.locator(HITS).nth(2).click()
    shows(page, [first[2]], ".st-key-why-image .ask")
    settled(page)
    assert ids_in(page, ".st-key-hits .on .ask") == [first[2]] and "hit=3" in page.url
    assert bounds(page.locator(".st-key-why-image"))["y"] < 600  # in sight


def test_the_link_to_a_view_is_copied_and_opens_it(at, page):
    at(section="why", query=5, hit=4, hit_order="worst")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    before = ids_in(page, ".st-key-why-image .ask"), ids_in(page)
    page.get_by_role("button", name="Copy link").click()
    page.get_by_text("Copied", exact=True).wait_for()
    link = page.evaluate("() => navigator.clipboard.readText()")
    assert link == page.url
    page.goto("about:blank")
    page.goto(link)
    shows(page, before[1])
    shows(page, before[0], ".st-key-why-image .ask")


def test_all_sections_stand_in_one_line_and_nothing_overflows(at):
    page = at(section="cost")
    bar = page.locator(".st-key-section button")
    tops = {round(bounds(bar.nth(i))["y"]) for i in range(bar.count())}
    assert bar.count() == len(SECTIONS) and len(tops) == 1
    for width in (600, 360):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            """width => innerWidth === width && document.scrollingElement.scrollWidth <= width &&
            [...document.querySelectorAll(".st-key-section button")].at(-1).getBoundingClientRect().right <= width""",
            arg=width,
        )


@pytest.mark.parametrize("section", ["hits", "why"])
def test_on_a_projector_nothing_overlaps_or_is_cut(at, section):
    page = at(section=section, projector="true", lesson=1)
    right = "all => all.map((one) => one.getBoundingClientRect().right)"
    query = max(page.locator(QUERY).evaluate_all(right))
    beside = ".st-key-hits .tile" if section == "hits" else ".st-key-why-image .tile"
    left = page.locator(beside).evaluate_all("all => all.map((one) => one.getBoundingClientRect().left)")
    assert query <= min(left)
    cut = page.locator('[data-testid="stButtonGroup"] button').evaluate_all(
        "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1 || "
        "one.getBoundingClientRect().right > innerWidth).length"
    )
    assert cut == 0 and bounds(page.locator(HITS).first)["y"] < 850
    assert page.locator(".st-key-query button").first.is_visible()  # the stepper is there
