"""Every page by keyboard and for a screen reader: title, headings, focus, charts, and legible text in both themes."""

from itertools import pairwise

import pytest

from tests.browser.conftest import PATIENCE, settled
from transclipped.ui import shell

pytestmark = pytest.mark.browser
PAGES = [(name, title) for name, title, _ in shell.ORDER]
STOPS = 45  # presses of Tab on each page

HEADINGS = """() => [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
    .filter((node) => node.checkVisibility()).map((node) => +node.tagName[1])"""

FOCUS = """() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return null;
  const ring = (one) => {
    const style = getComputedStyle(one);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none"
      || (parseFloat(style.borderTopWidth) > 0 && style.borderTopColor === "rgb(0, 114, 178)");
  };
  const near = [...node.querySelectorAll("*")].slice(0, 8);
  for (let one = node, i = 0; one && i < 6; one = one.parentElement, i++) near.push(one, ...one.children);
  const name = [node.ariaLabel, node.innerText, node.title, node.labels?.[0]?.innerText, node.placeholder];
  const drawn = node.closest("[data-testid=stDataFrame], canvas");  // shows the focus itself
  return { ring: Boolean(drawn) || near.some(ring), name: name.find(Boolean) || "",
    what: node.outerHTML.slice(0, 400), group: Boolean(node.closest("[data-arrows]")) };
}"""

CHARTS = "charts => charts.map((chart) => [chart.role, chart.ariaLabel || ''])"

FAINT = """() => {
  const NOT_READ = "svg, canvas, button:disabled, [aria-disabled=true], [data-stale=true], code, "
    + ".term-meaning, .strip, .stSkeleton, [data-testid=stSliderTickBar], [data-testid=stSliderThumbValue]";
  const channel = (c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => {
    const numbers = (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
    const most = text.startsWith("color(srgb") ? 255 : 1;
    return [...numbers.slice(0, 3).map((c) => most * c), numbers[3] ?? 1];
  };
  const over = (top, below, a) => top.slice(0, 3).map((c, i) => a * c + (1 - a) * below[i]);
  const faint = new Set();
  for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode(); ) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !node.checkVisibility({ visibilityProperty: true })) continue;
    if (node.closest(NOT_READ)) continue;
    const control = node.closest("[data-testid=stButtonGroup]") || node.closest("label");
    if (control?.querySelector(":disabled, [aria-disabled=true]")) continue;
    if (getComputedStyle(node).fontFamily.includes("Material")) continue;
    const chain = [];
    for (let one = node; one; one = one.parentElement) chain.unshift(one);
    let below = [255, 255, 255], opacity = 1;
    for (const one of chain) {
      const style = getComputedStyle(one), paint = parse(style.backgroundColor);
      opacity *= parseFloat(style.opacity);
      below = over(paint, below, paint[3]);
    }
    const style = getComputedStyle(node), ink = parse(style.color);
    if (opacity * ink[3] < 0.1) continue; // until hovered
    const seen = over(ink, below, ink[3] * opacity);
    const [high, low] = [light(seen) + 0.05, light(below) + 0.05].sort((a, b) => b - a);
    const large = parseFloat(style.fontSize) >= 24;
    const contrast = high / low, text = walker.currentNode.data.trim().slice(0, 60);
    if (contrast < (large ? 3 : 4.5) - 0.02) faint.add(`${contrast.toFixed(2)} ${text}`);
  }
  return [...faint];
}"""


def opened(page, server, name, **query):
    page.goto(f"{server}/{'' if name == 'overview' else name}?" + "&".join(f"{k}={v}" for k, v in query.items()))
    page.get_by_role("button", name="Back to the start").wait_for()
    settled(page)
    page.wait_for_timeout(1500)  # fragments and components follow
    settled(page)


@pytest.mark.parametrize(("name", "title"), PAGES)
def test_a_page_has_its_title_and_headings_in_order(server, page, name, title):
    opened(page, server, name)
    page.wait_for_function("title => document.title === title", arg=f"{title} · TransClipped", timeout=PATIENCE)
    levels = page.evaluate(HEADINGS)
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(lower <= upper + 1 for upper, lower in pairwise(levels)), levels
    charts = page.locator(".stPlotlyChart").evaluate_all(CHARTS)
    assert all(role == "figure" and text.startswith("Chart.") and ":" in text for role, text in charts), charts


@pytest.mark.parametrize("name", [name for name, _ in PAGES])
def test_tab_reaches_named_controls_with_a_visible_ring(server, page, name):
    opened(page, server, name)
    page.locator("body").press("Tab")
    stops = []
    for _ in range(STOPS):
        stop = page.evaluate(FOCUS)
        if stop is None:
            break
        stops.append(stop)
        page.keyboard.press("Tab")
    assert len(stops) > 12
    assert [stop["what"] for stop in stops if not stop["ring"]] == []
    assert [stop["what"] for stop in stops if not stop["name"].strip()] == []
    groups = [i for i, stop in enumerate(stops) if stop["group"]]
    assert not any(later == earlier + 1 for earlier, later in zip(groups, groups[2:], strict=False)), "a stop per image"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", [name for name, _ in PAGES])
def test_text_is_legible(server, page, name, scheme):
    page.emulate_media(color_scheme=scheme)
    opened(page, server, name)
    assert page.evaluate(FAINT) == []
