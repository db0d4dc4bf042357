"""The Embeddings page over a finished run: maps at once, colours, UMAP started, watched and cancelled."""

import json

import numpy as np
import pytest

from tests.pages.conftest import opened, words
from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections, umap_job
from transclipped.analysis.maps import store as map_store
from transclipped.runs.run import RunDir
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import colours as map_colours


@pytest.fixture
def own_maps(tmp_path, monkeypatch):
    """Maps of this test alone."""
    monkeypatch.setattr(map_store, "maps_dir", lambda: tmp_path / "maps")
    monkeypatch.setattr(umap_job, "maps_dir", lambda: tmp_path / "maps")
    yield tmp_path / "maps"
    umap_job.cancel()


def test_first_look_shows_all_queries_and_says_what_a_map_is_not(finished):
    said = words(opened("embeddings"))
    assert "one of 40 queries" in said
    assert "backbone, continuous and quantized" in said
    assert "must not be read for" in said


def test_database_can_be_shown_and_a_query_drawn_in(finished):
    app = opened("embeddings")
    app.segmented_control(key="map_which").set_value("database").run()
    assert "one of 200 database images" in words(app)
    app.number_input(key="map_star").set_value(3).run()
    assert not app.exception


@pytest.mark.parametrize("colour", ["class", "codebook 1", "codebook 4", "average precision", "clipped"])
def test_every_colour_can_be_chosen(finished, colour):
    app = opened("embeddings")
    app.selectbox(key="map_colour").set_value(colour).run()
    assert not app.exception and not app.error


def clip(run, **setting):
    """Make a run look as if it was trained with this clipping."""
    record = json.loads((run / "config.json").read_text())
    record["clipping"] |= setting
    (run / "config.json").write_text(json.dumps(record))
    return RunDir(run).config.clipping


def test_what_the_rule_clips_is_counted_for_the_query_and_for_all(finished):
    config = clip(finished, rule="rank", fraction=0.2)
    run = RunDir(finished)
    assert "for what share of the others the rule *rank*" in words(opened("embeddings", map_colour="clipped"))
    app = opened("embeddings", map_colour="clipped", point=str(run.retrieval().query_ids[7]))
    assert f"**{int(0.2 * 39)} clipped**" in words(app)
    shown = projections.items(run.retrieval(), "queries")
    taken = map_clipping.taken(shown.vectors[config.on], config, anchor=7)
    colours, _ = map_colours.clipping(run, shown, "some", row=7)
    names = [colours.legend[i][0] for i in colours.index]
    assert names[7] == "the anchor" and [name == "clipped" for name in names] == taken.tolist()


def test_a_query_drawn_into_the_database_is_an_anchor_too(finished):
    clip(finished, rule="rank", fraction=0.1)
    app = opened("embeddings", map_colour="clipped", map_which="database")
    app.number_input(key="map_star").set_value(3).run()
    assert "**20 clipped**" in words(app)


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"rule": "none"}, "clips no pair"), ({"rule": "rank", "on": "backbone"}, "looks at backbone embeddings")],
)
def test_a_rule_that_clips_nothing_or_cannot_be_followed_is_told(finished, setting, said, monkeypatch):
    clip(finished, **setting)
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    app = opened("embeddings", map_colour="clipped")
    assert said in words(app)


def test_umap_is_offered_started_and_cancelled(finished, own_maps):
    app = opened("embeddings")
    app.segmented_control(key="map_method").set_value("UMAP").run()
    assert "Meanwhile you see PCA" in words(app)
    app.button(key="compute").click().run()
    assert not app.exception
    assert umap_job.current()["of"] == 3
    app.button(key="cancel").click().run()
    assert umap_job.current() is None
    assert not app.exception
    assert "Meanwhile you see PCA" in words(app)


def test_stored_maps_show_at_once(finished, own_maps):
    shown = projections.items(RunDir(finished).retrieval(), "queries")
    for n in (5, 15, 50):
        settings = projections.UmapSettings(n_neighbors=n)
        key = projections.map_key(projections.digest(shown.vectors["quantized"]), settings)
        projections.store_map(key, projections.Map(np.random.default_rng(n).normal(size=(40, 2)), 0.9))
    app = opened("embeddings")
    app.segmented_control(key="map_method").set_value("UMAP").run()
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert "(UMAP)" in words(app)
    assert not [button for button in app.button if button.key == "compute"]


@pytest.fixture
def bundled(finished, tmp_path, monkeypatch):
    """Random places for all maps that come with a run, trusted by 0.77; returns their file."""
    folder = tmp_path / "bundled-maps"
    monkeypatch.setattr(bundled_maps, "FOLDER", folder)
    run, rng = RunDir(finished), np.random.default_rng(0)
    shown = projections.items(run.retrieval(), "queries")
    laid = {at: projections.Map(rng.normal(size=(40, 2)), 0.77) for at in bundled_maps.wanted(shown)}
    laid["backbone", projections.UmapSettings()] = projections.Map(rng.normal(size=(40, 2)), 0.66)
    return bundled_maps.save(bundled_maps.content(run, run.retrieval(), "queries"), laid, folder=folder)


def drawn(monkeypatch):
    """Trustworthiness by panel of the map drawn last."""
    seen = {}
    real = maps.draw

    def draw(shown, found, *args, **kwargs):
        seen.clear()
        seen.update({name: each.trustworthiness for name, each in found.items()})
        return real(shown, found, *args, **kwargs)

    monkeypatch.setattr(maps, "draw", draw)
    return seen


def test_bundled_maps_are_the_first_look_and_pca_is_a_click_away(bundled, monkeypatch):
    seen = drawn(monkeypatch)
    app = opened("embeddings")
    assert "embedding (UMAP)" in words(app) and "Meanwhile" not in words(app)
    assert seen == {"backbone": 0.66, "continuous": 0.77, "quantized": 0.77}
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert list(seen) == [f"quantized, {n} neighbours" for n in (5, 15, 50)] and set(seen.values()) == {0.77}
    app.segmented_control(key="map_kind").set_value("continuous").run()
    assert list(seen) == [f"continuous, {n} neighbours" for n in (5, 15, 50)] and "(UMAP)" in words(app)
    app.segmented_control(key="map_method").set_value("PCA").run()
    assert "embedding (PCA)" in words(app)
    assert 0.77 not in seen.values() and "quantized" in seen


@pytest.fixture
def some_bundled(finished, tmp_path, monkeypatch):
    """Maps at the page's own settings alone, as they come with a database; the backbone's with them."""
    folder = tmp_path / "bundled-maps"
    monkeypatch.setattr(bundled_maps, "FOLDER", folder)
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    run, rng, settings = RunDir(finished), np.random.default_rng(0), projections.UmapSettings()
    laid = {(kind, settings): projections.Map(rng.normal(size=(200, 2)), 0.77) for kind in projections.KINDS}
    return bundled_maps.save(bundled_maps.content(run, run.retrieval(), "database"), laid, folder=folder)


def test_of_settings_side_by_side_those_there_are_drawn_and_the_others_offered(some_bundled, own_maps, monkeypatch):
    seen = drawn(monkeypatch)
    app = opened("embeddings", map_which="database")
    assert list(seen) == list(projections.KINDS) and set(seen.values()) == {0.77}
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert list(seen.items()) == [("quantized, 15 neighbours", 0.77)]
    said = words(app)
    assert "Not there yet: UMAP of quantized, 5 neighbours; quantized, 50 neighbours" in said
    assert "Meanwhile" not in said and "by its quantized embedding (UMAP)" in said
    assert "map_kind" not in [each.key for each in app.segmented_control]  # of the others there is a single setting
    assert app.slider(key="map_nn").disabled
    app.button(key="compute").click().run()
    assert umap_job.current()["of"] == 2


def test_without_any_map_pca_shows_at_once_and_what_is_absent_is_told(finished, own_maps, monkeypatch):
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    seen = drawn(monkeypatch)
    app = opened("embeddings", map_which="database", map_compare="settings")
    assert list(seen) == ["quantized"] and "by its quantized embedding (PCA)" in words(app)
    assert "Meanwhile you see PCA" in words(app)
    app = opened("embeddings", map_which="database", map_method="PCA")
    assert "Not shown: backbone and continuous embeddings" in words(app)


def test_other_settings_than_the_bundled_ones_are_offered(bundled):
    app = opened("embeddings")
    app.slider(key="map_nn").set_value(22).run()
    assert "Meanwhile you see PCA" in words(app)
    assert [button for button in app.button if button.key == "compute"]


def test_a_damaged_bundled_map_leaves_pca_and_the_offer(bundled):
    bundled.write_bytes(bundled.read_bytes()[:500])
    app = opened("embeddings")
    assert not app.error
    assert "Meanwhile you see PCA" in words(app)


def test_maps_of_another_content_are_not_shown(bundled, finished):
    stored = RunDir(finished).retrieval()
    type(stored)(**{**vars(stored), "queries": stored.queries[::-1]}).save(finished / "retrieval.npz")
    assert "Meanwhile you see PCA" in words(opened("embeddings"))


def test_address_names_the_query_and_nonsense_in_it_is_ignored(finished):
    known = RunDir(finished).retrieval().query_ids[7]
    for point in (str(known), "-1", "nothing"):
        app = opened("embeddings", point=point)
        assert not app.exception and not app.error


def test_run_without_labels_has_colours_left(finished):
    stored = RunDir(finished).retrieval()
    bare = {**vars(stored), "database_labels": None, "query_labels": None}
    type(stored)(**bare).save(finished / "retrieval.npz")
    app = opened("embeddings")
    assert app.selectbox(key="map_colour").options[0] == "codebook 1"
    assert not app.error


def test_a_collection_is_drawn_also_where_one_of_its_images_is_gone(finished, collection, tmp_path):
    next((tmp_path / "mine").rglob("*.png")).unlink()
    app = opened("embeddings")
    app.segmented_control(key="map_which").set_value("my-collection").run()
    assert not app.exception and not app.error
    assert "one of 12 images" in words(app)
