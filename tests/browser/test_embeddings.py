"""The maps under a real pointer and keyboard: hover, click, lasso, pan, legend, swap, save, link and Esc."""

import csv
import shutil
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from tests.browser.conftest import PATIENCE, ROOT, bounds, settled
from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections
from transclipped.analysis.maps.plane import pca
from transclipped.analysis.maps.store import UmapSettings
from transclipped.datasets.registry import load
from transclipped.runs.run import RunDir

pytestmark = pytest.mark.browser
RUN = "map-of-tiny"


@pytest.fixture(scope="module")
def item_maps(own_runs, tiny_run):
    """The items and maps that the page draws first: the queries of a run, by PCA."""
    shutil.copytree(tiny_run, own_runs / RUN)
    run = RunDir(own_runs / RUN)
    items = projections.items(run.retrieval(), "queries")
    items = projections.with_features(run, items, load(run.config.data), items.ids)
    return items, {kind: pca(vectors).xy for kind, vectors in items.vectors.items()}


@pytest.fixture
def panels(server, page, item_maps):
    """The page with the map of continuous embeddings large."""
    return opened(server, page, large="continuous")


def opened(server, page, **query):
    """The page after its maps are drawn."""
    page.goto(f"{server}/embeddings?run={RUN}&" + "&".join(f"{name}={value}" for name, value in query.items()))
    drawn(page)
    return page


def drawn(page):
    page.wait_for_selector("canvas.points[data-view]", timeout=PATIENCE)
    settled(page)
    page.locator(".panel.large canvas.marks").scroll_into_view_if_needed()


def panel(page, kind, part="canvas.marks"):
    return page.locator(f'.panel[data-name="{kind}"] {part}')


def large(page) -> str:
    return page.locator(".panel.large").get_attribute("data-name")


def position(page, item_maps, kind, row):
    """Position of a row on the screen, from the `data-view` of the canvas."""
    scale, x, y = (float(v) for v in panel(page, kind, "canvas.points").get_attribute("data-view").split(","))
    box = bounds(panel(page, kind))
    across, down = (float(v) for v in item_maps[1][kind][row])
    return box["x"] + (across - x) * scale, box["y"] + (y - down) * scale


def isolated(item_maps, kind):
    """The row farthest from all others on a map, which the pointer cannot miss."""
    xy = item_maps[1][kind].astype(float)
    far = ((xy[:, None] - xy[None]) ** 2).sum(-1)
    far[range(len(far)), range(len(far))] = float("inf")
    return int(far.min(1).argmax())


def lasso(page, corners):
    (x, y), *rest = corners
    page.mouse.move(x, y)
    page.keyboard.down("Shift")
    page.mouse.down()
    for x, y in rest:
        page.mouse.move(x, y, steps=5)
    page.mouse.up()
    page.keyboard.up("Shift")


def count(page) -> int:
    return int(page.locator(".chosen .count").get_attribute("data-count"))


def rows(tiles) -> list[int]:
    return [int(row) for row in tiles.evaluate_all("all => all.map((tile) => tile.dataset.row)")]


def becomes(page, read, expected) -> None:
    """Wait until `read()` returns what is expected."""
    for _ in range(PATIENCE // 100):
        if read() == expected:
            return
        page.wait_for_timeout(100)
    assert read() == expected


def save(page, label):
    with page.expect_download() as download:
        page.get_by_role("button", name=label, exact=True).click()
    return download.value.path()


def test_lasso_selects_what_lies_inside_and_gallery_bars_export_and_link_agree(panels, item_maps):
    items, kind = item_maps[0], "continuous"
    box = bounds(panel(panels, kind))
    left, top = box["x"] + 0.25 * box["width"] + 0.5, box["y"] + 0.2 * box["height"] + 0.5
    right, bottom = box["x"] + 0.6 * box["width"] + 0.5, box["y"] + 0.75 * box["height"] + 0.5
    positions = [position(panels, item_maps, kind, row) for row in range(len(items))]
    inside = [row for row, (x, y) in enumerate(positions) if left < x < right and top < y < bottom]
    assert 3 < len(inside) < len(positions)
    lasso(panels, [(left, top), (right, top), (right, bottom), (left, bottom)])
    panels.get_by_text(f"{len(inside)} images selected").wait_for()
    assert count(panels) == len(inside)
    tiles = panels.locator(".chosen .tile")
    assert rows(tiles) == inside
    assert 'url("' in tiles.first.locator(".picture").get_attribute("style")
    panels.locator(".classbar").first.wait_for()
    counts = sorted(np.unique(items.labels[inside], return_counts=True)[1].tolist(), reverse=True)
    assert [int(bar.inner_text().split()[-1]) for bar in panels.locator(".classbar").all()] == counts
    panels.wait_for_url("**selection=**")
    settled(panels)
    panels.get_by_role("button", name="Save", exact=True).click()
    with open(save(panels, "CSV"), newline="") as file:
        assert [int(line["id"]) for line in csv.DictReader(file)] == items.ids[inside].tolist()
    panels.reload()
    drawn(panels)
    assert rows(panels.locator(".chosen .tile")) == inside
    panels.keyboard.press("Escape")
    panels.get_by_text("images selected").wait_for(state="detached")
    assert count(panels) == 0
    panels.wait_for_function("!location.search.includes('selection')")
    settled(panels)
    panels.get_by_role("button", name="Save", exact=True).click()
    with open(save(panels, "CSV"), newline="") as file:
        assert [int(line["id"]) for line in csv.DictReader(file)] == items.ids.tolist()


@pytest.mark.parametrize("kind", projections.KINDS)
def test_hover_shows_the_image_on_every_map(panels, item_maps, kind):
    row = isolated(item_maps, kind)
    panels.mouse.move(*position(panels, item_maps, kind, row))
    card = panels.locator(".map .card")
    card.wait_for(state="visible")
    assert str(item_maps[0].ids[row]) in card.inner_text()
    sheet = card.locator(".picture").evaluate("box => getComputedStyle(box).backgroundImage.slice(5, -2)")
    assert panels.request.get(sheet).headers["content-type"] == "image/jpeg"
    panels.mouse.move(2, 2)
    card.wait_for(state="hidden")


def neighbours_listed(page, items, row, k, kind):
    expected, distances = projections.nearest_items(items, row, k, kind=kind)
    tiles = page.locator(".near .tile")
    becomes(page, lambda: rows(tiles), [row, *expected.tolist()])
    written = [float(text) for text in page.locator(".near .distance").all_inner_texts()]
    np.testing.assert_allclose(written, distances, atol=6e-3)
    return expected


def test_click_on_a_point_or_an_image_makes_it_the_query_with_neighbours_by_a_chosen_embedding(panels, item_maps):
    items, row = item_maps[0], isolated(item_maps, "continuous")
    panels.mouse.click(*position(panels, item_maps, "continuous", row))
    panels.wait_for_url(f"**point={items.ids[row]}**")
    neighbours_listed(panels, items, row, 12, "quantized")
    assert "query" in panels.locator(".near .tile").first.get_attribute("class")
    panels.get_by_label("Embedding", exact=True).select_option("backbone")
    panels.wait_for_url("**near=backbone**")
    panels.get_by_label("Number of neighbours").select_option("6")
    panels.wait_for_url("**k=6**")
    expected = neighbours_listed(panels, items, row, 6, "backbone")
    panels.locator(".near .tile").nth(1).click()
    panels.wait_for_url(f"**point={items.ids[expected[0]]}**")
    neighbours_listed(panels, items, int(expected[0]), 6, "backbone")
    panels.get_by_role("button", name="Search with this image").click()
    panels.wait_for_url("**/retrieval**")
    settled(panels)
    number = panels.get_by_role("spinbutton", name="Query number")
    becomes(panels, number.input_value, str(expected[0]))


def test_a_click_on_a_small_map_and_enter_swap_it_with_the_large_one(panels, server):
    large_width = bounds(panel(panels, "continuous"))["width"]
    assert large(panels) == "continuous" and large_width > 2 * bounds(panel(panels, "backbone"))["width"]
    box = bounds(panel(panels, "backbone"))
    panels.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    panels.wait_for_url("**large=backbone**")
    assert large(panels) == "backbone"
    assert bounds(panel(panels, "backbone"))["width"] == large_width
    panel(panels, "quantized").focus()
    panels.keyboard.press("Enter")
    panels.wait_for_url("**large=quantized**")
    assert large(panels) == "quantized" and "point=" not in panels.url
    panels.reload()
    drawn(panels)
    assert large(panels) == "quantized"


def test_a_small_window_has_the_large_map_above_the_small_ones(panels):
    panels.set_viewport_size({"width": 600, "height": 900})
    panels.wait_for_selector(".map.narrow")
    boxes = {kind: bounds(panel(panels, kind)) for kind in projections.KINDS}
    one, two, big = boxes["backbone"], boxes["quantized"], boxes["continuous"]
    assert big["width"] > 500 and one["y"] == two["y"] > big["y"] + big["height"] and one["x"] < two["x"]
    assert panels.evaluate("document.documentElement.scrollWidth <= innerWidth")


def hovered(page) -> str:
    return page.locator(".map .unseen[role=status]").text_content()


def test_the_keyboard_reaches_points_zooms_queries_selects_and_clears(panels, item_maps):
    items, canvas = item_maps[0], panel(panels, "continuous")
    canvas.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        before = hovered(panels)
        panels.keyboard.press(key)
        assert hovered(panels) != before
    assert "/embeddings" in panels.url  # arrows do not step to another page
    before = panel(panels, "continuous", "canvas.points").get_attribute("data-view")
    panels.keyboard.press("+")
    panels.wait_for_timeout(200)
    after = panel(panels, "continuous", "canvas.points").get_attribute("data-view")
    assert float(after.split(",")[0]) > float(before.split(",")[0])
    panels.keyboard.press("Home")
    identity = hovered(panels).split(",")[0].removeprefix("image ")
    panels.keyboard.press("Enter")
    panels.wait_for_url(f"**point={identity}**")
    panels.keyboard.press(" ")
    panels.wait_for_url("**selection=**")
    chosen = panels.locator(".chosen .tile")
    becomes(panels, lambda: rows(chosen), [items.ids.tolist().index(int(identity))])
    settled(panels)
    panels.keyboard.press("Escape")
    panels.wait_for_function("!/point|selection/.test(location.search)")


def test_arrows_reach_the_next_point_in_their_direction(panels, item_maps):
    xy, canvas = item_maps[1]["continuous"], panel(panels, "continuous")
    canvas.focus()
    panels.keyboard.press("ArrowLeft")
    for key, (dx, dy) in {"ArrowRight": (1, 0), "ArrowUp": (0, 1), "ArrowLeft": (-1, 0), "ArrowDown": (0, -1)}.items():
        at = item_maps[0].ids.tolist().index(int(hovered(panels).split(",")[0].removeprefix("image ")))
        scale = float(panel(panels, "continuous", "canvas.points").get_attribute("data-view").split(",")[0])
        best = (np.inf, at)
        for row, (x, y) in enumerate(((xy - xy[at]) * scale).tolist()):
            ahead, aside = x * dx + y * dy, abs(x * dy) + abs(y * dx)
            if ahead >= 4 and aside <= 1.5 * ahead:
                best = min(best, (ahead + 2 * aside, row))
        panels.keyboard.press(key)
        assert hovered(panels).split(",")[0] == f"image {item_maps[0].ids[best[1]]}"


def test_maps_legend_and_images_are_one_tab_stop_each_and_described(panels, item_maps):
    items = item_maps[0]
    panels.mouse.click(*position(panels, item_maps, "continuous", isolated(item_maps, "continuous")))
    panels.wait_for_url("**point=**")
    panels.locator(".near .tile").nth(12).wait_for()
    for kind in projections.KINDS:
        canvas = panel(panels, kind)
        assert canvas.get_attribute("role") == "application" and canvas.get_attribute("tabindex") == "0"
        assert f"{len(items)} images, {kind}" in canvas.get_attribute("aria-label")
        described = canvas.evaluate("c => c.getRootNode().getElementById(c.getAttribute('aria-describedby')).innerText")
        assert "Arrow keys" in described
    for group in (".legend button", ".near .tile"):
        stops = panels.locator(f".map {group}").evaluate_all("all => all.filter((one) => one.tabIndex === 0).length")
        assert stops == 1, group
    panels.locator(".near .tile").first.focus()
    panels.keyboard.press("ArrowRight")
    focused = panels.locator(".near .tile").nth(1)
    assert focused.evaluate("tile => tile === tile.getRootNode().activeElement")
    assert "distance" in focused.get_attribute("aria-label")
    row = rows(panels.locator(".near .tile"))[1]
    panels.keyboard.press("Enter")
    panels.wait_for_url(f"**point={items.ids[row]}**")


def test_zoomed_in_points_become_images(panels, item_maps):
    points = panel(panels, "continuous", "canvas.points")
    assert points.get_attribute("data-images") == "0"
    x, y = position(panels, item_maps, "continuous", isolated(item_maps, "continuous"))
    panels.mouse.move(x, y)
    for _ in range(6):
        panels.mouse.wheel(0, -300)
    panels.wait_for_timeout(300)
    assert int(points.get_attribute("data-images")) >= 1
    panels.get_by_role("button", name="Whole map").click()
    assert points.get_attribute("data-images") == "0"


def test_the_large_map_is_saved_as_svg_and_png(panels, item_maps):
    n = len(item_maps[0])
    names = panel(panels, "continuous").get_attribute("data-names").split("|")
    assert len(names) > 2
    root = ElementTree.parse(save(panels, "SVG")).getroot()
    legend = panels.locator(".map .entry").count()
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == n + legend
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert set(names) <= set(texts) and texts[0].startswith("continuous")
    with Image.open(save(panels, "PNG")) as image:
        assert image.format == "PNG" and image.width == 2 * int(root.get("width"))
        colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 24)}
    assert len(colours) > 50


def test_full_screen_enlarges_the_map(panels):
    before = bounds(panel(panels, "continuous"))
    panels.get_by_role("button", name="Full screen").click()
    panels.wait_for_function("document.fullscreenElement !== null")
    panels.wait_for_timeout(300)
    after = bounds(panel(panels, "continuous"))
    assert after["width"] > before["width"] and after["height"] > before["height"]
    panels.get_by_role("button", name="Full screen").click()
    panels.wait_for_function("document.fullscreenElement === null")


def test_pan_and_zoom_move_the_view_and_whole_map_resets_it(panels):
    canvas = panel(panels, "continuous", "canvas.points")
    before = canvas.get_attribute("data-view")
    box = bounds(panel(panels, "continuous"))
    x, y = box["x"] + 4, box["y"] + 4
    panels.mouse.move(x, y)
    panels.mouse.down()
    panels.mouse.move(x + 60, y + 30, steps=3)
    panels.mouse.up()
    panels.mouse.wheel(0, -300)
    panels.wait_for_timeout(200)
    scale, *_ = (float(v) for v in canvas.get_attribute("data-view").split(","))
    assert scale > float(before.split(",")[0])
    panels.get_by_role("button", name="Whole map").click()
    assert canvas.get_attribute("data-view") == before


def test_double_click_in_the_legend_isolates_a_class_for_the_lasso(panels, item_maps):
    entry = panels.locator(".map .entry").first
    entry.dblclick()
    assert panels.locator(".map .entry.off").count() == panels.locator(".map .entry").count() - 1
    box = bounds(panel(panels, "continuous"))
    (x0, y0), (x1, y1) = (box["x"] + 6, box["y"] + 6), (box["x"] + box["width"] - 7, box["y"] + box["height"] - 7)
    lasso(panels, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    first = item_maps[0].labels.min()  # the legend is ordered by class
    panels.get_by_text(f"{(item_maps[0].labels == first).sum()} images selected").wait_for()


def test_pointing_at_the_legend_lights_up_its_points(panels):
    def pixels():
        return panel(panels, "continuous", "canvas.points").evaluate("canvas => canvas.toDataURL()")

    before, entry = pixels(), panels.locator(".map .entry").first
    entry.hover()
    assert pixels() != before
    panels.mouse.move(2, 2)
    assert pixels() == before


def test_bundled_maps_come_first_and_a_click_shows_what_the_rule_clips_for_that_point(server, page):
    run = RunDir(ROOT / "assets" / "runs" / "hybrid-cifar10-32-clipped")
    items = projections.items(run.retrieval(), "queries")
    maps = bundled_maps.load(bundled_maps.content(run, run.retrieval(), "queries"), len(items))
    bundled = {kind: maps[kind, UmapSettings()] for kind in projections.KINDS}
    page.goto(f"{server}/embeddings?run={run.name}&map_colour=clipped")
    page.wait_for_selector("canvas.points[data-view]", timeout=PATIENCE)
    settled(page)
    # no features are cached here, so the backbone's map is the bundled one
    titles = page.locator(".map .title").all_inner_texts()  # in the order of the model, whichever is large
    assert titles == [f"{kind} trustworthiness {each.trustworthiness:.3f}" for kind, each in bundled.items()]
    page.get_by_text("for what share of the other images").wait_for()
    both = (SimpleNamespace(vectors=bundled), {kind: each.xy for kind, each in bundled.items()})
    page.locator(".panel.large canvas.marks").scroll_into_view_if_needed()
    row = isolated(both, "quantized")
    page.mouse.click(*position(page, both, "quantized", row))
    taken = map_clipping.false_negatives(items.vectors["quantized"], run.config.clipping, anchor=row)
    page.get_by_text(f"{taken.sum():,} clipped").wait_for()
    page.locator(".map .entry").nth(2).wait_for()
    assert page.locator(".map .entry").all_inner_texts() == ["clipped", "kept as negatives", "the anchor"]
