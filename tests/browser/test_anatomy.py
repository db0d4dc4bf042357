"""Anatomy with pointer and keyboard: attention of a patch, steps by arrow keys, and the sharpness slider."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PATIENCE, settled
from transclipped.analysis import anatomy
from transclipped.datasets.images.decode import to_png
from transclipped.runs.run import RunDir
from transclipped.runs.session import trained_model
from transclipped.search.searcher import Searcher

pytestmark = pytest.mark.browser
RUN = "anatomy-of-transformer"


@pytest.fixture(scope="module")
def run(own_runs, transformer_run) -> RunDir:
    shutil.copytree(transformer_run, own_runs / RUN)
    return RunDir(own_runs / RUN)


def go(page, server, **query) -> None:
    words = "&".join(f"{name}={value}" for name, value in query.items())
    page.goto(f"{server}/anatomy?run={RUN}&{words}")
    settled(page)


def test_a_clicked_patch_shows_its_attention_and_stays_in_the_address(server, page, run):
    from transclipped.datasets.registry import load

    images, stored = load(run.config.data), run.retrieval()
    backbone, _ = trained_model(run, default_size=run.record["image_size"])
    row = np.flatnonzero(images.ids == stored.query_ids[2])
    view = anatomy.Microscope(backbone).look(images.pixels(row, backbone.image_size)[0])
    weights = anatomy.over_places(anatomy.layer(view.attention, 1, 0), view, 5)
    go(page, server, query=2, layer=2, head=1)
    page.locator('button.cell[data-place="5"]').click()
    page.wait_for_function("() => location.search.includes('token=5')")
    sentence = page.locator(".attention .says").inner_text()
    best = int(weights.argmax())
    assert re.findall(r"\d+", sentence)[:4] == ["2", "2", str(best // 4 + 1), str(best % 4 + 1)]
    assert float(re.search(r"([\d.]+)%", sentence)[1]) == pytest.approx(100 * weights.max(), abs=0.06)
    settled(page)
    page.reload()
    page.wait_for_selector('.attention .box[data-place="5"]', timeout=PATIENCE)
    page.locator('button.cell[data-place="5"]').press("Escape")
    page.wait_for_function("() => !location.search.includes('token')")


def test_arrow_keys_go_through_the_steps_then_to_the_next_page(server, page, run):
    def wait_for_step(step: int) -> None:
        page.locator(f'.steps[data-step="{step}"]').wait_for(state="attached")
        settled(page)
        assert page.get_by_role("heading", name="7 · Score").count() == (step == 7)

    go(page, server, step=5)
    wait_for_step(5)
    page.locator("h1").click()
    for key, step in (("Right", 6), ("Right", 7), ("Left", 6)):
        page.keyboard.press(f"Arrow{key}")
        wait_for_step(step)
    page.wait_for_function("() => location.search.includes('step=6')")
    page.keyboard.press("ArrowRight")
    wait_for_step(7)
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"/clipping"))


def test_arrow_keys_on_the_slider_move_alpha_alone(server, page, run):
    stored = run.retrieval()
    unit = stored.queries[1].astype(np.float32).reshape(len(stored.codebooks), -1)
    go(page, server, query=1, alpha=20, step=6)
    page.get_by_role("slider").first.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => location.search.includes('alpha=21')")
    settled(page)
    assigned = anatomy.assign(unit, stored.codebooks, 21)
    page.get_by_text(f"{assigned.bits[0]:.1f} bits").first.wait_for()
    shares = page.locator(".an-bar + small").all_inner_texts()
    assert shares[:4] == [f"{assigned.p[0, word]:.1%}" for word in assigned.order[0, :4]]
    assert page.get_by_role("heading", name="7 · Score").count() == 0


def test_an_uploaded_image_gets_the_code_that_search_computes(server, page, run):
    searcher, image = Searcher(run), Image.effect_noise((80, 64), 90).convert("RGB")
    codebooks = searcher.stored.codebooks
    expected = anatomy.code_of(searcher.embed([image])[0].reshape(len(codebooks), -1), codebooks)
    go(page, server)
    page.get_by_role("radio", name="upload").click()
    page.wait_for_function("() => location.search.includes('follow=upload')")
    chooser = page.locator('.st-key-own-picture-place [data-testid="stFileUploaderDropzoneInput"]')
    chooser.set_input_files({"name": "mine.png", "mimeType": "image/png", "buffer": to_png(image)})
    page.get_by_text("mine.png,").wait_for()
    page.locator(".an-hex").nth(len(expected) - 1).wait_for()
    assert page.locator(".an-hex").all_inner_texts() == [f"{number:02X}" for number in expected.tolist()]
    settled(page)


def test_a_database_image_is_in_the_address(server, page, run):
    go(page, server, follow="database", item=9)
    code = [f"{number:02X}" for number in run.retrieval().codes[9].tolist()]
    page.locator(".an-hex").nth(len(code) - 1).wait_for()
    assert page.locator(".an-hex").all_inner_texts() == code
    settled(page)


def test_the_link_to_retrieval_searches_with_the_same_image(server, page, run):
    go(page, server, query=5)
    link = page.get_by_text("See what else it finds")
    link.scroll_into_view_if_needed()
    settled(page)  # a click during a rerun would open the page without its query
    link.click()
    page.wait_for_url("**/retrieval?**")
    page.locator(".st-key-question .ask").first.wait_for()
    settled(page)
    queries = page.locator(".st-key-question .ask").evaluate_all("all => all.map((one) => one.dataset.id)")
    assert queries == [str(run.retrieval().query_ids[5])]
