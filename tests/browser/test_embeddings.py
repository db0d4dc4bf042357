"""The map under a real pointer: hover, click, lasso, pan, legend and Esc."""

import csv
import shutil
from types import SimpleNamespace

import pytest

from tests.browser.conftest import PATIENCE, ROOT, settled
from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections
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
    return items, {kind: projections.pca(vectors).xy for kind, vectors in items.vectors.items()}


@pytest.fixture
def panels(server, page, item_maps):
    """The page after its map is drawn."""
    page.goto(f"{server}/embeddings?run={RUN}")
    page.wait_for_selector("canvas.points[data-view]", timeout=PATIENCE)
    settled(page)
    page.locator("canvas.marks").first.scroll_into_view_if_needed()
    return page


def position(page, item_maps, kind, row):
    """Position of a row on the screen, from the `data-view` of the canvas."""
    items, maps = item_maps
    number = list(items.vectors).index(kind)
    scale, x, y = (float(v) for v in page.locator("canvas.points").nth(number).get_attribute("data-view").split(","))
    box = page.locator("canvas.marks").nth(number).bounding_box()
    across, down = (float(v) for v in maps[kind][row])
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
    return int(page.locator(".map .count").get_attribute("data-count"))


def test_lasso_selects_what_lies_inside_and_gallery_export_and_caption_agree(panels, item_maps):
    kind = "continuous"
    number = list(item_maps[0].vectors).index(kind)
    box = panels.locator("canvas.marks").nth(number).bounding_box()
    left, top = box["x"] + 0.25 * box["width"] + 0.5, box["y"] + 0.2 * box["height"] + 0.5
    right, bottom = box["x"] + 0.8 * box["width"] + 0.5, box["y"] + 0.75 * box["height"] + 0.5
    positions = [position(panels, item_maps, kind, row) for row in range(len(item_maps[0]))]
    inside = [row for row, (x, y) in enumerate(positions) if left < x < right and top < y < bottom]
    assert 3 < len(inside) < len(positions)
    lasso(panels, [(left, top), (right, top), (right, bottom), (left, bottom)])
    panels.get_by_text(f"{len(inside)} images selected").wait_for()
    assert count(panels) == len(inside)
    tiles = panels.locator(".map .tile")
    assert [int(tile.get_attribute("data-row")) for tile in tiles.all()] == inside
    assert 'url("' in tiles.first.locator(".picture").get_attribute("style")
    with panels.expect_download() as download:
        panels.get_by_role("button", name="CSV").click()
    with open(download.value.path(), newline="") as file:
        assert [int(line["id"]) for line in csv.DictReader(file)] == item_maps[0].ids[inside].tolist()
    settled(panels)
    panels.keyboard.press("Escape")
    panels.get_by_text("images selected").wait_for(state="detached")
    assert count(panels) == 0


def test_hover_shows_the_image(panels, item_maps):
    row = isolated(item_maps, "continuous")
    panels.mouse.move(*position(panels, item_maps, "continuous", row))
    card = panels.locator(".map .card")
    card.wait_for(state="visible")
    assert str(item_maps[0].ids[row]) in card.inner_text()
    sheet = card.locator(".picture").evaluate("box => getComputedStyle(box).backgroundImage.slice(5, -2)")
    assert panels.request.get(sheet).headers["content-type"] == "image/jpeg"
    panels.mouse.move(2, 2)
    card.wait_for(state="hidden")


def test_click_on_a_point_or_an_image_makes_it_the_query_with_its_neighbours(panels, item_maps):
    row = isolated(item_maps, "continuous")
    panels.mouse.click(*position(panels, item_maps, "continuous", row))
    panels.wait_for_url(f"**point={item_maps[0].ids[row]}**")
    expected = [row, *projections.nearest_items(item_maps[0], row, 12).tolist()]
    tiles = panels.locator(".map .tile")
    tiles.nth(len(expected) - 1).wait_for()
    assert [int(tile.get_attribute("data-row")) for tile in tiles.all()] == expected
    assert "query" in tiles.first.get_attribute("class")
    tiles.nth(1).click()
    panels.wait_for_url(f"**point={item_maps[0].ids[expected[1]]}**")


def test_pan_and_zoom_move_the_view_and_whole_map_resets_it(panels):
    canvas = panels.locator("canvas.points").first
    before = canvas.get_attribute("data-view")
    box = panels.locator("canvas.marks").first.bounding_box()
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
    box = panels.locator("canvas.marks").first.bounding_box()
    (x0, y0), (x1, y1) = (box["x"] + 6, box["y"] + 6), (box["x"] + box["width"] - 7, box["y"] + box["height"] - 7)
    lasso(panels, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    first = item_maps[0].labels.min()  # the legend is ordered by class
    panels.get_by_text(f"{(item_maps[0].labels == first).sum()} images selected").wait_for()


def test_bundled_maps_come_first_and_a_click_shows_what_the_rule_clips_for_that_point(server, page):
    run = RunDir(ROOT / "assets" / "runs" / "hybrid-cifar10-32-clipped")
    items = projections.items(run.retrieval(), "queries")
    maps = bundled_maps.load(bundled_maps.content(run, run.retrieval(), "queries"), len(items))
    bundled = {kind: maps[kind, projections.UmapSettings()] for kind in projections.KINDS}
    page.goto(f"{server}/embeddings?run={run.name}&map_colour=clipped")
    page.wait_for_selector("canvas.points[data-view]", timeout=PATIENCE)
    settled(page)
    # no features are cached here, so the backbone's map is the bundled one
    titles = page.locator(".map .title").all_inner_texts()
    assert titles == [f"{kind} trustworthiness {each.trustworthiness:.3f}" for kind, each in bundled.items()]
    page.get_by_text("for what share of the other images").wait_for()
    both = (SimpleNamespace(vectors=bundled), {kind: each.xy for kind, each in bundled.items()})
    page.locator("canvas.marks").first.scroll_into_view_if_needed()
    row = isolated(both, "quantized")
    page.mouse.click(*position(page, both, "quantized", row))
    taken = map_clipping.taken(items.vectors["quantized"], run.config.clipping, anchor=row)
    page.get_by_text(f"{taken.sum():,} clipped").wait_for()
    page.locator(".map .entry").nth(2).wait_for()
    assert page.locator(".map .entry").all_inner_texts() == ["clipped", "kept as negatives", "the anchor"]
