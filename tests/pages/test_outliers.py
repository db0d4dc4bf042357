"""The least and most typical images on Embeddings: against the library, on few images, and a click on one."""

import numpy as np
import pytest
import streamlit as st

from tests.pages.conftest import arrived
from tests.pages.test_embeddings import drawn  # noqa: F401
from transclipped.analysis.maps import projections
from transclipped.analysis.outliers import outliers
from transclipped.runs.run import RunDir
from transclipped.ui.components import gallery
from transclipped.ui.embeddings import outliers as section
from transclipped.ui.embeddings import visit as visits

LINK = {section.KEY: "true"}


@pytest.fixture
def clicks(monkeypatch):
    """Buttons in the place of images, with the key `<gallery>: <id>`; the tiles by gallery are returned."""
    tiles_of = {}

    def draw(tiles, *, key, on_click, **_):
        tiles_of[key] = tiles
        for tile in tiles:
            st.button(tile.caption, key=f"{key}: {tile.id}", on_click=on_click, args=(tile.id,))

    monkeypatch.setattr(gallery, "draw", draw)
    return tiles_of


def test_lists_are_drawn_only_on_demand_and_are_those_of_the_library(finished, galleries):
    app = arrived("embeddings")
    assert not {"least typical", "most typical"} & set(galleries)
    app.toggle(key=section.KEY).set_value(True).run()
    assert not app.exception and not app.error
    items = projections.items(RunDir(finished).retrieval(), "queries")
    result, half = outliers(items.vectors["continuous"]), len(items) // 2
    for name, rows in (("least", result.least(min(24, half))), ("most", result.most(min(12, half)))):
        tiles = galleries[f"{name} typical"]
        assert [int(tile.id) for tile in tiles] == rows and not any(tile.on for tile in tiles)
        np.testing.assert_allclose([float(tile.caption) for tile in tiles], result.u[rows], atol=0.001)
        for tile, row in zip(tiles, rows, strict=True):
            names = [str(items.ids[row]), *(str(items.ids[other]) for other in result.neighbours[row][: section.NAMED])]
            places = [tile.title.index(name) for name in names]
            assert tile.title.startswith(f"image {names[0]};") and places == sorted(places)


def test_a_click_makes_an_image_the_query_with_its_neighbours(finished, clicks, drawn):  # noqa: F811
    app = arrived("embeddings", **LINK)
    items = projections.items(RunDir(finished).retrieval(), "queries")
    first = clicks["least typical"][0].id
    app.button(key=f"least typical: {first}").click().run()
    assert not app.exception and app.query_params["point"] == str(items.ids[int(first)])
    assert drawn["picked"] == int(first) and drawn["near"] == "continuous"
    rows = projections.nearest_items(items, int(first), drawn["k"], kind="continuous")[0]
    assert drawn["neighbours"] == rows.tolist()
    assert [tile.id for tile in clicks["least typical"] if tile.on] == [first]


def test_of_clicks_on_the_map_and_on_a_list_the_last_counts(finished, clicks, drawn, monkeypatch):  # noqa: F811
    messages = {}
    monkeypatch.setattr(visits, "_sent", lambda key, name: messages.get(name))
    app = arrived("embeddings", **LINK)
    messages["picked"] = {"version": drawn["version"], "at": 1, "row": 3}
    messages["near"] = {"version": drawn["version"], "at": 1, "value": "quantized"}
    app.run()
    assert drawn["picked"] == 3
    tile = next(tile.id for tile in clicks["least typical"] if tile.id != "3")
    app.button(key=f"least typical: {tile}").click().run()
    assert (drawn["picked"], drawn["near"]) == (int(tile), "continuous")
    app.run()
    assert drawn["picked"] == int(tile)
    messages["picked"] = {"version": drawn["version"], "at": 2, "row": 3}
    app.run()
    assert (drawn["picked"], drawn["near"]) == (3, "continuous")


def test_a_collection_of_few_images_is_listed_by_codes(collection, galleries):
    app = arrived("embeddings", map_which=collection.name, **LINK)
    assert not app.exception and not app.error
    assert len(galleries["least typical"]) == len(galleries["most typical"]) == 6  # halves of twelve


def test_too_few_images_are_a_sentence(finished, galleries, monkeypatch):
    monkeypatch.setattr(section, "FEW", 10**6)
    app = arrived("embeddings", **LINK)
    assert not app.exception and app.info and not galleries
