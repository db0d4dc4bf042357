"""Clipping in a browser: the slider shows the counts of the library, and sweeps deliver results."""

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


def wait_for_number(page, name, text):
    from playwright.sync_api import expect

    expect(number(page, name)).to_have_text(text, timeout=PATIENCE)


def test_the_slider_shows_the_counts_of_the_library_and_the_server_follows(server, page):
    go(page, server, f"{LAB}&delta=0.40")
    _, result = expected(rule="threshold", threshold=0.40)
    wait_for_number(page, "clipped", f"{result.mask.sum():,}")
    page.locator('input[type="range"][aria-label^="Clip every negative"]').focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    batch, result = expected(rule="threshold", threshold=0.42)
    wait_for_number(page, "amount", "δ = 0.42")
    wait_for_number(page, "clipped", f"{result.mask.sum():,}")
    assert number(page, "precision").inner_text() == f"{100 * result.precision:.0f}%"
    assert number(page, "recall").inner_text() == f"{100 * result.recall:.0f}%"
    page.wait_for_function("() => location.search.includes('delta=0.42')")
    page.get_by_text(f"This setting clips {result.mask.sum():,} of").wait_for()
    hits = (result.mask & batch.false).sum()
    page.get_by_text(f"{hits:,} of them are false negatives").wait_for()


def test_the_legend_has_the_colours_of_the_bars_pale_if_not_clipped(server, page):
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
    wait_for_number(page, "amount", "δ = 0.90")
    plot = page.locator(".plot svg")
    box = plot.bounding_box()
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 60, steps=4)
    before = number(page, "amount").inner_text()
    assert before != "δ = 0.90"  # redrawn while the mouse button is held
    page.mouse.up()
    page.wait_for_function("() => /delta=/.test(location.search) && !location.search.includes('delta=0.9')")
    settled(page)
    value = float(before.split("= ")[1])
    _, result = expected(rule="threshold", threshold=value)
    page.get_by_text(f"This setting clips {result.mask.sum():,} of").wait_for()


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


def test_figure_and_counts_can_be_downloaded(server, page):
    go(page, server, LAB)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").first.click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "δ,clipped,share,precision,recall" and len(lines) == 102
    _, result = expected(rule="threshold", threshold=0.4)
    assert lines[41].startswith(f"0.4,{result.mask.sum()},")
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").first.click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("<svg xmlns=")


def test_the_link_to_train_carries_the_setting(server, page):
    go(page, server, f"{LAB}&clip_rule=rank&q=0.13&clip_tau=0.2")
    page.get_by_role("link", name="Train with this setting").click()
    page.locator("h1", has_text="Train").wait_for()
    settled(page)
    for part in ("/train", "rule=rank", "q=0.13", "tau=0.2"):
        assert part in page.url


def test_a_sweep_trains_heads_and_shows_results(server, page, own_runs):
    go(page, server, "look=sweep&seed=7")
    page.get_by_role("button", name="Train 7 heads").click()
    page.get_by_text("Head 1 of 7: none").wait_for()
    page.get_by_text("mAP without clipping").wait_for(timeout=3 * PATIENCE)  # after the second head
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Train the rest").wait_for()
    settled(page)
    assert len(list((own_runs / "sweeps").glob("*/results.jsonl"))) == 1


def test_the_address_names_the_section_and_the_first_visitor_sees_the_sidebar(own_runs, own_cache, page):
    from tests.browser.serving import served

    with served({**os.environ, "TRANSCLIPPED_RUNS": str(own_runs)}) as (address, _):  # a fresh server
        go(page, address, "look=sweep")
        page.get_by_role("heading", name="Live sweep").wait_for()
        page.locator(".st-key-run").wait_for()
        page.get_by_role("radio", name="All rules").click()
        page.wait_for_function("() => location.search.includes('look=rules')")
        settled(page)
        page.reload()
        settled(page)
        assert page.get_by_role("radio", name="All rules").get_attribute("aria-checked") == "true"
        page.get_by_role("radio", name="Tune the rule").click()
        page.wait_for_function("() => !location.search.includes('look')")
        settled(page)
        page.wait_for_load_state("networkidle")  # the server stops here
