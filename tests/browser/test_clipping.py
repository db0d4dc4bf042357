"""The Clipping lab in a real browser: what the slider shows is what the library counts, and sweeps deliver."""

import os
from pathlib import Path

import pytest

from tests.browser.conftest import PATIENCE, settled
from transclipped.analysis.clipping.batches import lab_batch
from transclipped.analysis.clipping.report import report
from transclipped.config import ClippingConfig
from transclipped.features import labset

pytestmark = pytest.mark.browser
LAB = "from=lab&size=64"


def go(page, server, query):
    page.goto(f"{server}/clipping?{query}")
    settled(page)


def number(page, name):
    return page.locator(f'.number[data-name="{name}"] b')


def expected(**setting):
    lab = labset.load()
    batch = lab_batch(lab, labset.load_head(lab, next(iter(labset.STAGES))), size=64, seed=0)
    return batch, report(batch, ClippingConfig(**setting), temperature=0.3)


def reads(page, name, text):
    page.wait_for_function(
        """([name, text]) => [...document.querySelectorAll('*')].some((host) => host.shadowRoot &&
             host.shadowRoot.querySelector(`.number[data-name="${name}"] b`)?.innerText === text) ||
           document.querySelector(`.number[data-name="${name}"] b`)?.innerText === text""",
        arg=[name, text],
        timeout=PATIENCE,
    )


def test_slider_counts_what_the_library_counts_and_the_server_follows(server, page):
    go(page, server, f"{LAB}&delta=0.40")
    _, done = expected(rule="threshold", threshold=0.40)
    reads(page, "clipped", f"{done.mask.sum():,}")
    page.locator('input[type="range"][aria-label^="Clip every negative"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    batch, done = expected(rule="threshold", threshold=0.42)
    reads(page, "amount", "δ = 0.42")
    reads(page, "clipped", f"{done.mask.sum():,}")
    assert number(page, "precision").inner_text() == f"{100 * done.precision:.0f} %"
    assert number(page, "recall").inner_text() == f"{100 * done.recall:.0f} %"
    page.wait_for_function("() => location.search.includes('delta=0.42')")
    page.get_by_text(f"This setting clips {done.mask.sum():,} of").wait_for()
    hits = (done.mask & batch.false).sum()
    page.get_by_text(f"{hits:,} of them were false negatives").wait_for()


def test_legend_shows_the_colours_of_the_bars_pale_where_kept_and_full_where_clipped(server, page):
    go(page, server, LAB)
    number(page, "amount").wait_for()
    marks = page.locator(".legend i").evaluate_all(
        "marks => marks.map((mark) => getComputedStyle(mark)).map((style) => [style.background, style.opacity])"
    )
    bars = page.locator(".plot rect[fill-opacity]").evaluate_all(
        "bars => bars.map((bar) => `${getComputedStyle(bar).fill} ${bar.getAttribute('fill-opacity')}`)"
    )
    (other, _), (same, _), (kept, pale), (clipped, full) = marks
    colours = [background.partition(")")[0] + ")" for background in (other, same)]
    assert kept == clipped and all(colour in kept for colour in colours)
    assert {f"{colour} {opacity}" for colour in colours for opacity in (pale, full)} <= set(bars)


def test_threshold_is_dragged_in_the_histogram_itself(server, page):
    go(page, server, f"{LAB}&delta=0.90")
    reads(page, "amount", "δ = 0.90")
    plot = page.locator(".plot svg")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
    before = number(page, "amount").inner_text()
    assert before != "δ = 0.90"  # redrawn while the button is still held
    page.mouse.up()
    page.wait_for_function("() => /delta=/.test(location.search) && !location.search.includes('delta=0.9')")
    settled(page)
    value = float(before.split("= ")[1])
    _, done = expected(rule="threshold", threshold=value)
    page.get_by_text(f"This setting clips {done.mask.sum():,} of").wait_for()


def test_redraw_at_512_images_takes_less_than_a_fifth_of_a_second(server, page):
    go(page, server, "from=lab&size=512")
    slider = page.locator('input[type="range"][aria-label^="Clip every negative"]')
    slowest = slider.evaluate(
        """(slider) => { let slowest = 0;
             for (let k = 20; k <= 80; k += 5) { const start = performance.now(); slider.value = k;
               slider.dispatchEvent(new Event('input')); slider.getBoundingClientRect();
               slowest = Math.max(slowest, performance.now() - start); }
             return slowest; }"""
    )
    assert slowest < 200
    assert number(page, "amount").inner_text() == "δ = 0.80"


def test_figure_and_counts_can_be_saved(server, page):
    go(page, server, LAB)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").first.click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "δ,clipped,share,precision,recall" and len(lines) == 102
    _, done = expected(rule="threshold", threshold=0.4)
    assert lines[41].startswith(f"0.4,{done.mask.sum()},")
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").first.click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("<svg xmlns=")


def test_setting_travels_to_train(server, page):
    go(page, server, f"{LAB}&clip_rule=rank&q=0.13&clip_tau=0.2")
    page.get_by_role("link", name="Train with this setting").click()
    page.locator("h1", has_text="Train").wait_for()
    settled(page)
    for part in ("/train", "rule=rank", "q=0.13", "tau=0.2"):
        assert part in page.url


def test_a_press_trains_heads_and_results_arrive(server, page, own_runs):
    go(page, server, "look=sweep&seed=7")
    page.get_by_role("button", name="Train 7 heads").click()
    page.get_by_text("Head 1 of 7: none").wait_for()
    page.get_by_text("Without clipping mAP is").wait_for(timeout=3 * PATIENCE)  # after the second head
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Train the rest").wait_for()
    settled(page)
    assert len(list((own_runs / "sweeps").glob("*/results.jsonl"))) == 1


def test_a_section_is_in_the_address_by_a_short_name_and_the_first_visitor_sees_the_sidebar(own_runs, own_cache, page):
    from tests.browser.serving import served

    with served({**os.environ, "TRANSCLIPPED_RUNS": str(own_runs)}) as (address, _):  # a server nobody has visited
        go(page, address, "look=sweep")
        page.get_by_role("heading", name="Live sweep").wait_for()
        page.locator(".st-key-run").wait_for()
        page.get_by_role("radio", name="All rules").click()
        page.wait_for_function("() => location.search.includes('look=rules')")
        settled(page)
        page.reload()
        settled(page)
        assert page.get_by_role("radio", name="All rules").get_attribute("aria-checked") == "true"
        page.get_by_role("radio", name="Tune the cut").click()
        page.wait_for_function("() => !location.search.includes('look')")
        settled(page)
        page.wait_for_load_state("networkidle")  # the server ends here, and nothing may be asked of it any more
