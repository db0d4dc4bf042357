"""The Embeddings page over a finished run: stored maps, colours, and UMAP started, followed and cancelled."""

import json
import re
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from tests.pages.conftest import arrived, keys, opened
from tests.pages.conftest import words as drawn_words
from transclipped.analysis.maps import bundled as bundled_maps
from transclipped.analysis.maps import clipping as map_clipping
from transclipped.analysis.maps import projections, umap_job
from transclipped.analysis.maps import selection as map_selection
from transclipped.analysis.maps import store as map_store
from transclipped.runs.run import RunDir
from transclipped.ui.components import map as maps
from transclipped.ui.embeddings import colours as map_colours
from transclipped.ui.embeddings import layouts as map_layouts
from transclipped.ui.theme import class_colour

embeddings = partial(opened, "embeddings")


@pytest.fixture
def empty_maps(tmp_path, monkeypatch):
    """An empty folder of stored maps."""
    monkeypatch.setattr(map_store, "maps_dir", lambda: tmp_path / "maps")
    monkeypatch.setattr(umap_job, "maps_dir", lambda: tmp_path / "maps")
    yield tmp_path / "maps"
    umap_job.cancel()


def words(app) -> str:
    """All texts of the page, without the meanings of its terms."""
    html = "\n".join(each.proto.body for each in app.main if each.type == "html")
    text = re.sub(r'<span[^>]* role="tooltip".*?</span>', "", html)
    return drawn_words(app) + "\n" + re.sub(r"<[^>]*>", "", text)


def shows_pca_meanwhile(app) -> bool:
    return "PCA meanwhile" in words(app)


def test_queries_come_first_and_the_database_can_be_shown_with_a_query_overlaid(finished):
    app = embeddings()
    assert "one of 40 queries" in words(app) and "backbone, continuous and quantized" in words(app)
    assert "Do not read into a map" in words(app)
    app.segmented_control(key="map_which").set_value("database").run()
    assert "one of 200 database images" in words(app)
    app.number_input(key="map_star").set_value(3).run()
    assert not app.exception


@pytest.mark.parametrize("colour", ["class", "codebook 1", "codebook 4", "average precision", "clipped"])
def test_every_colour_can_be_chosen(finished, colour):
    app = embeddings()
    app.selectbox(key="map_colour").set_value(colour).run()
    assert not app.exception and not app.error


def clip(run, **settings):
    """Change the clipping in a run's config."""
    record = json.loads((run / "config.json").read_text())
    record["clipping"] |= settings
    (run / "config.json").write_text(json.dumps(record))
    return RunDir(run).config.clipping


def test_what_the_rule_clips_is_counted_for_the_query_and_for_all(finished):
    config = clip(finished, rule="rank", fraction=0.2)
    run = RunDir(finished)
    text = words(embeddings(map_colour="clipped"))
    assert "for what share of the other images" in text and "*rank*" in text
    app = embeddings(map_colour="clipped", point=str(run.retrieval().query_ids[7]))
    assert f"**{int(0.2 * 39)} clipped**" in words(app)
    items = projections.items(run.retrieval(), "queries")
    clipped = map_clipping.false_negatives(items.vectors[config.on], config, anchor=7)
    subject = SimpleNamespace(items=items, version="some")
    colours, _ = map_colours.clipping(run, subject, row=7, query=None)
    names = [colours.legend[i][0] for i in colours.index]
    assert names[7] == "the anchor" and [name == "clipped" for name in names] == clipped.tolist()


def test_an_overlaid_query_is_an_anchor_too(finished):
    clip(finished, rule="rank", fraction=0.1)
    app = embeddings(map_colour="clipped", map_which="database")
    app.number_input(key="map_star").set_value(3).run()
    assert "**20 clipped**" in words(app)


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"rule": "none"}, "clips no pair"), ({"rule": "rank", "on": "backbone"}, "backbone embeddings")],
)
def test_a_rule_that_clips_nothing_or_lacks_its_embeddings_is_explained(finished, settings, text, monkeypatch):
    clip(finished, **settings)
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    app = embeddings(map_colour="clipped")
    assert text in words(app) and len(app.main.warning) == (settings["rule"] == "rank")


def test_umap_is_offered_started_and_cancelled(finished, empty_maps):
    app = embeddings(map_method="UMAP")
    assert shows_pca_meanwhile(app)
    app.button(key="compute").click().run()
    assert not app.exception
    assert umap_job.current()["of"] == 3
    app.button(key="cancel").click().run()
    assert umap_job.current() is None
    assert not app.exception
    assert shows_pca_meanwhile(app)


def random_map(n: int, trust: float = 0.77, seed: int = 0) -> map_store.Map:
    return map_store.Map(np.random.default_rng(seed).normal(size=(n, 2)), trust)


def test_stored_maps_are_shown_at_once(finished, empty_maps):
    items = projections.items(RunDir(finished).retrieval(), "queries")
    for n in (5, 15, 50):
        settings = map_store.UmapSettings(n_neighbors=n)
        key = map_store.map_key(map_store.digest(items.vectors["quantized"]), settings)
        map_store.store_map(key, random_map(40, 0.9, seed=n))
    app = embeddings()
    app.segmented_control(key="map_method").set_value("UMAP").run()
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert "(UMAP)" in words(app)
    assert "compute" not in keys(app)


@pytest.fixture
def bundled(finished, tmp_path, monkeypatch):
    """Bundled maps at random positions, trustworthiness 0.77 and 0.66 for the backbone; returns the queries' file.

    All maps of the queries, and those of the database at the default settings.
    """
    folder, run, settings = tmp_path / "bundled-maps", RunDir(finished), map_store.UmapSettings()
    monkeypatch.setattr(bundled_maps, "FOLDER", folder)
    queries = {panel: random_map(40) for panel in bundled_maps.wanted(projections.items(run.retrieval(), "queries"))}
    queries["backbone", settings] = random_map(40, 0.66)
    database = {(kind, settings): random_map(200) for kind in projections.KINDS}
    bundled_maps.save(bundled_maps.content(run, run.retrieval(), "database"), database, folder=folder)
    return bundled_maps.save(bundled_maps.content(run, run.retrieval(), "queries"), queries, folder=folder)


@pytest.fixture
def drawn(monkeypatch):
    """Arguments of the maps drawn last: `maps`, `colours`, and keyword arguments."""
    result, draw = {}, maps.draw

    def recorded(items, panels, colours, **kwargs):
        result.clear()
        result.update(kwargs, maps=panels, colours=colours)
        return draw(items, panels, colours, **kwargs)

    monkeypatch.setattr(maps, "draw", recorded)
    return result


@pytest.fixture
def trust(drawn):
    """Function: trustworthiness by panel of the maps drawn last."""
    return lambda: {name: each.trustworthiness for name, each in drawn["maps"].items()}


def test_bundled_maps_come_first_and_pca_is_a_click_away(bundled, trust):
    app = embeddings()
    assert "embedding (UMAP)" in words(app) and not shows_pca_meanwhile(app)
    assert trust() == {"backbone": 0.66, "continuous": 0.77, "quantized": 0.77}
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert trust() == {f"quantized, {n} neighbours": 0.77 for n in (5, 15, 50)}
    app.segmented_control(key="map_kind").set_value("continuous").run()
    assert list(trust()) == [f"continuous, {n} neighbours" for n in (5, 15, 50)] and "(UMAP)" in words(app)
    app.segmented_control(key="map_method").set_value("PCA").run()
    assert "embedding (PCA)" in words(app)
    assert 0.77 not in trust().values() and "quantized" in trust()


def test_of_several_settings_the_stored_ones_are_drawn_and_the_others_offered(bundled, empty_maps, monkeypatch, trust):
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    app = embeddings(map_which="database")
    assert list(trust()) == list(projections.KINDS) and set(trust().values()) == {0.77}
    app.segmented_control(key="map_compare").set_value("settings").run()
    assert trust() == {"quantized, 15 neighbours": 0.77}
    assert "UMAP of quantized, 5 neighbours; quantized, 50 neighbours" in words(app)
    assert not shows_pca_meanwhile(app) and "by its quantized embedding (UMAP)" in words(app)
    assert "map_kind" not in [each.key for each in app.segmented_control]  # other kinds have a single setting
    assert app.slider(key="map_nn").disabled
    app.button(key="compute").click().run()
    assert umap_job.current()["of"] == 2


def test_without_any_map_pca_is_shown_and_empty_panels_give_their_reason(
    finished, empty_maps, monkeypatch, trust, drawn
):
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    app = embeddings(map_which="database", map_compare="settings")
    assert list(trust()) == ["quantized"] and "by its quantized embedding (PCA)" in words(app)
    assert shows_pca_meanwhile(app)
    assert drawn["empty"] == dict.fromkeys(["backbone", "continuous"], map_layouts.NOT_HERE)
    app = embeddings(map_which="database", map_method="PCA")
    assert drawn["empty"] == dict.fromkeys(["backbone", "continuous"], map_layouts.NOT_HERE)
    assert "compute" not in keys(app)


def test_three_panels_stay_while_some_are_not_computed_and_missing_ones_are_encoded(
    bundled, empty_maps, monkeypatch, trust, drawn
):
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    app = embeddings()
    assert list(trust()) == list(projections.KINDS) and drawn["empty"] == {} and "compute" not in keys(app)
    items = projections.items(RunDir(bundled.parents[1] / "runs" / "tiny").retrieval(), "queries")
    settings = map_store.UmapSettings(n_neighbors=20)
    for kind in ("continuous", "quantized"):
        map_store.store_map(map_store.map_key(items.digests[kind], settings), random_map(40))
    app.slider(key="map_nn").set_value(20).run()
    assert list(trust()) == ["continuous", "quantized"]
    assert drawn["empty"] == {"backbone": map_layouts.NOT_HERE}
    started = []
    monkeypatch.setattr(umap_job, "start", lambda maps, encoding: started.append((maps, encoding)))
    app.button(key="compute").click().run()
    (stored, encoding), (kind, of_map) = started[0], started[0][1].maps[0]
    assert stored == [] and encoding.which == "queries" and len(encoding.maps) == 1
    assert kind == "backbone" and of_map == settings


def test_many_images_are_not_encoded_for_a_map(bundled, empty_maps, monkeypatch, drawn):
    monkeypatch.setattr(projections, "cached_features", lambda *_: None)
    monkeypatch.setattr(projections, "ENCODED", 39)
    app = embeddings(map_nn="20")
    started = []
    monkeypatch.setattr(umap_job, "start", lambda maps, encoding: started.append((maps, encoding)))
    app.button(key="compute").click().run()
    assert len(started[0][0]) == 2 and started[0][1] is None


def test_other_settings_than_the_bundled_ones_are_offered(bundled):
    app = embeddings()
    app.slider(key="map_nn").set_value(22).run()
    assert shows_pca_meanwhile(app) and "compute" in keys(app)


def test_a_damaged_bundled_map_leaves_pca_and_the_offer(bundled):
    bundled.write_bytes(bundled.read_bytes()[:500])
    app = embeddings()
    assert not app.error
    assert shows_pca_meanwhile(app) and "compute" in keys(app)


def change_stored(run, **values):
    """Replace arrays of a run's retrieval.npz."""
    stored = RunDir(run).retrieval()
    type(stored)(**{**vars(stored), **values}).save(run / "retrieval.npz")


def test_maps_of_another_content_are_not_shown(bundled, finished):
    change_stored(finished, queries=RunDir(finished).retrieval().queries[::-1])
    assert shows_pca_meanwhile(embeddings())


def test_a_query_or_nonsense_in_the_address_raises_no_error(finished):
    for point in (str(RunDir(finished).retrieval().query_ids[7]), "-1", "nothing"):
        app = embeddings(point=point)
        assert not app.exception and not app.error


def test_a_link_brings_back_query_selection_large_map_and_neighbours(finished, drawn):
    items = projections.items(RunDir(finished).retrieval(), "queries")
    selection = map_selection.to_link(items, np.array([3, 5, 39]))
    app = arrived(
        "embeddings", point=str(items.ids[7]), selection=selection, near="continuous", k="6", large="continuous"
    )
    assert not app.main.warning
    assert (drawn["picked"], drawn["selection"], drawn["large"]) == (7, [3, 5, 39], "continuous")
    rows, distances = projections.nearest_items(items, 7, 6, kind="continuous")
    assert drawn["near"] == "continuous" and drawn["neighbours"] == rows.tolist()
    np.testing.assert_allclose(drawn["distances"], distances, atol=1e-4)
    labels = items.labels[[3, 5, 39]].tolist()
    assert sum(bar["count"] for bar in drawn["bars"]) == 3
    assert {bar["count"] for bar in drawn["bars"]} == {labels.count(label) for label in labels}
    assert {"search", "search all", "csv", "parquet"} <= keys(app)


@pytest.mark.parametrize("name", ["point", "selection", "near", "k", "large"])
def test_nonsense_in_a_link_is_reported_and_the_default_drawn(finished, drawn, name):
    app = arrived("embeddings", **{name: "<nonsense>"})
    assert len(app.main.warning) == 1 and not app.error
    assert (drawn["picked"], drawn["selection"], drawn["near"], drawn["k"]) == (None, [], "quantized", 12)
    assert drawn["large"] == "quantized"


def test_query_and_selection_are_left_with_their_images(finished, drawn):
    items = projections.items(RunDir(finished).retrieval(), "queries")
    link = {"point": str(items.ids[7]), "selection": map_selection.to_link(items, np.array([1]))}
    app = arrived("embeddings", **link)
    app.segmented_control(key="map_which").set_value("database").run()
    assert not app.main.warning and drawn["picked"] is None and drawn["selection"] == []
    assert not {"point", "selection"} & {*app.query_params}


def test_the_query_goes_on_to_retrieval(finished):
    items = projections.items(RunDir(finished).retrieval(), "queries")
    app = arrived("embeddings", point=str(items.ids[7]))
    app.switch_page("pages/retrieval.py").run()
    assert app.number_input(key="query").value == 7
    app.number_input(key="query").set_value(3).run()
    assert app.number_input(key="query").value == 3
    database = projections.items(RunDir(finished).retrieval(), "database")
    app = arrived("embeddings", point=str(database.ids[2]), map_which="database")
    app.switch_page("pages/retrieval.py").run()
    assert app.query_params["query_id"] == str(database.ids[2])


def test_no_class_and_no_codeword_is_grey(finished):
    classes = [class_colour(label) for label in range(10)]
    assert len(set(classes)) == 10
    for colour in classes:
        red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        assert max(red, green, blue) - min(red, green, blue) > 50, colour
    items = projections.items(RunDir(finished).retrieval(), "queries")
    entries = map_colours.by_codeword(items, 0).legend
    assert all(colour in classes for name, colour in entries if name != map_colours.OTHERS)


def test_codewords_have_images_in_the_legend(finished, drawn):
    embeddings(map_colour="codebook 2")
    colours, codes = drawn["colours"], projections.items(RunDir(finished).retrieval(), "queries").codes[:, 1]
    for (name, _), rows in zip(colours.legend, colours.typical, strict=True):
        if name != map_colours.OTHERS:
            assert rows and {f"codeword {codes[row]}" for row in rows} == {name}


def test_the_variance_of_pca_stands_beside_the_map(finished, drawn):
    embeddings(map_method="PCA")
    assert all(0 < each.settings["variance"] <= 1 for each in drawn["maps"].values())


def test_run_without_labels_has_other_colours(finished):
    change_stored(finished, database_labels=None, query_labels=None)
    app = embeddings()
    assert app.selectbox(key="map_colour").options[0] == "codebook 1"
    assert not app.error


def test_a_collection_is_drawn_even_if_one_of_its_images_is_deleted(finished, collection, tmp_path):
    next((tmp_path / "mine").rglob("*.png")).unlink()
    app = embeddings()
    app.segmented_control(key="map_which").set_value("my-collection").run()
    assert not app.exception and not app.error
    assert "one of 12 images" in words(app)
