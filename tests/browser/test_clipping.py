"""Clipping in a browser: the slider shows the counts of the library, and sweeps deliver results."""

import os
import re
from pathlib import Path

import pytest

from tests.browser.conftest import PATIENCE, bounds, settled
from transclipped.analysis.clipping.batches import lab_batch
from transclipped.analysis.clipping.dials import dial
from transclipped.analysis.clipping.report import report
from transclipped.clipping import turned
from transclipped.config import ClippingConfig
from transclipped.experiments.lab import curves
from transclipped.features import labset
from transclipped.ui import theme

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


def reached(rule):
    return curves.reached(curves.load(), rule, 0.3)


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


def test_the_legend_has_the_colours_of_the_bars_pale_if_clipped(server, page):
    go(page, server, f"{LAB}&delta=0.40")
    number(page, "amount").wait_for()
    marks = page.locator(".legend i").evaluate_all("marks => marks.map((mark) => getComputedStyle(mark).background)")
    bars = page.locator(".plot .bar").evaluate_all(
        "bars => bars.map((bar) => [getComputedStyle(bar).fill, bar.getBoundingClientRect().left])"
    )
    marks = [re.findall(r"rgba?\([^)]+\)", mark.partition("gradient")[2] or mark)[:2] for mark in marks]
    (other, *_), (same, *_), strong, pale = marks
    assert strong == [other, same] and pale == [theme.pale(theme.IRRELEVANT), theme.pale(theme.RELEVANT)]
    line = bounds(page.locator(".plot line.cut"))["x"]
    width = 12  # of a bar: the one under the line may be both
    assert {colour for colour, left in bars if left > line + width} == set(pale)  # some true negatives, too
    assert {colour for colour, left in bars if left < line - width} == set(strong)


@pytest.mark.parametrize("rule", turned())
def test_more_clipping_is_left_for_every_rule_and_the_dot_follows(server, page, rule):
    go(page, server, f"{LAB}&clip_rule={rule.replace('+', '%2B')}")
    slider = page.locator('.histogram input[type="range"]')
    clipped, dots = [], []
    for step in (0, 50, 100):
        slider.evaluate("(slider, k) => { slider.value = k; slider.dispatchEvent(new Event('input')); }", step)
        clipped.append(int(number(page, "clipped").inner_text().replace(",", "")))
        if (curve := reached(rule)) is not None:
            amount = float(number(page, "amount").inner_text().partition("= ")[2])
            assert number(page, "map").inner_text() == f"{curve.at(amount):.3f}"
            dots.append(bounds(page.locator(".reached .dot"))["x"])
    assert clipped[0] > clipped[1] > clipped[2]
    assert dots == sorted(dots) and len(dots) == (3 if reached(rule) else 0)
    assert page.locator(".ends span").first.inner_text().startswith("← more is clipped")
    if turned()[rule].field != "threshold":
        slider.evaluate("(slider) => { slider.value = 50; slider.dispatchEvent(new Event('input')); }")
        assert page.locator(".plot line.cut").count() == 1  # the mean cut


def test_gain_and_price_are_those_of_the_library(server, page):
    go(page, server, f"{LAB}&delta=0.40")
    batch, _ = expected(rule="threshold", threshold=0.4)
    price, gain = dial(batch, ClippingConfig(rule="threshold"), temperature=0.3).removed[40]
    wait_for_number(page, "gain", f"{100 * gain:.0f}%")
    wait_for_number(page, "price", f"{100 * price:.0f}%")


def test_in_a_window_at_200_percent_numbers_histogram_and_slider_are_on_one_screen(server, page):
    page.set_viewport_size({"width": 640, "height": 450})
    go(page, server, LAB)
    first, last = (bounds(page.locator(place)) for place in (".numbers:not(.details)", ".histogram .ends"))
    assert last["y"] + last["height"] - first["y"] <= 450


@pytest.mark.parametrize("query", ["", "&lesson=1", "&projector=true", "&lesson=1&projector=true"])
def test_histogram_slider_and_figures_fit_on_one_screen(server, page, query):
    go(page, server, LAB + query)
    for place in (".numbers:not(.details)", ".plot svg", '.histogram input[type="range"]', ".ends", ".reached .dot"):
        box = bounds(page.locator(place))
        assert box["y"] >= 0 and box["y"] + box["height"] <= 900, place


def test_threshold_is_dragged_in_the_histogram_itself(server, page):
    go(page, server, f"{LAB}&delta=0.90")
    wait_for_number(page, "amount", "δ = 0.90")
    plot = page.locator(".plot svg")
    box = bounds(plot)
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


def test_figure_and_counts_can_be_downloaded(server, page):
    go(page, server, LAB)
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").first.click()
    lines = Path(saved.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "δ,clipped,share,precision,recall,gain,price,mAP" and len(lines) == 102
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
    page.get_by_text(re.compile(r"Head 1 of 7: none, step .* left")).wait_for(timeout=3 * PATIENCE)
    page.get_by_text("Best so far").wait_for(timeout=3 * PATIENCE)  # after the second head
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Train the rest").wait_for()
    settled(page)
    assert len(list((own_runs / "sweeps").glob("*/results.jsonl"))) == 1
    page.get_by_role("button", name="Start empty").click()
    page.get_by_role("button", name="Train 7 heads").wait_for()
    assert page.get_by_text("Best so far").count() == 0
    page.reload()  # another session
    page.get_by_text("earlier or by another visitor").wait_for()


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
