"""The same query answered twice, on Retrieval and on Pipeline: by what it shows, and by its light."""

import dataclasses
import time

import numpy as np
import pytest

import transclipped as tc
from tests.pages.conftest import arrived, words
from transclipped.datasets.registry import load
from transclipped.experiments.pipelines import same_light
from transclipped.experiments.pipelines.lighting import light as light_of
from transclipped.experiments.pipelines.same_light import SameLight, in_other_light
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.ui import light
from transclipped.ui.pipeline import data, html

SECTION = {"section": "light"}


pytestmark = pytest.mark.usefixtures("own_pipelines")


@pytest.fixture
def rows(monkeypatch):
    """Names of the cells of each row of images that was drawn last, by its label."""
    result, row = {}, html.row

    def recorded(cells, *, label, crisp):
        result[label] = cells
        return row(cells, label=label, crisp=crisp)

    monkeypatch.setattr(html, "row", recorded)
    return result


def answered(app, drawn, name):
    """The page once the light of the database is known."""
    deadline = time.monotonic() + 120
    while name not in drawn and time.monotonic() < deadline:
        time.sleep(0.1)
        app.run()
    assert not app.exception and not app.error and name in drawn
    return app


def ids(tiles):
    return [tile.id for tile in tiles]


def of_run(engine):
    """Images of a run, its database ranked by light, and its first query."""
    images = load(engine.run.config.data)
    rows = images.rows_of(engine.stored.database_ids.tolist())
    values = np.concatenate(list(light_of(images).batches(rows)))
    return SameLight(values, images.native_size), images.image(images.row_of(engine.stored.query_ids[0]))


def test_both_answers_are_those_of_the_library_and_follow_the_sliders(finished, galleries):
    engine = Searcher(RunDir(finished))
    ranker, query = of_run(engine)
    app = answered(arrived("retrieval", **SECTION), galleries, "hits Same light")
    names = engine.stored.database_ids.astype(str)
    expected = engine.search(engine.stored.queries[0].astype(np.float32), top=light.SHOWN)
    assert ids(galleries["hits Same thing"]) == [str(hit.id) for hit in expected]
    assert ids(galleries["hits Same light"]) == names[ranker.search([query], light.SHOWN).rows[0]].tolist()
    before = ids(galleries["hits Same light"])
    app.slider(key="exposure").set_value(-2.0).run()
    app.slider(key="warmth").set_value(1.0).run()
    moved = in_other_light(query, exposure=-2, warmth=1)
    after = names[ranker.search([moved], light.SHOWN).rows[0]].tolist()
    assert ids(galleries["hits Same light"]) == after and after != before
    assert f"**{len({*after} - {*before})}** of these {light.SHOWN}" in words(app)
    expected = engine.search(engine.embed([moved])[0], top=light.SHOWN)
    assert ids(galleries["hits Same thing"]) == [str(hit.id) for hit in expected]


def test_a_link_reproduces_the_sliders(finished, galleries):
    app = answered(arrived("retrieval", exposure="1.25", warmth="-0.5"), galleries, "hits Same light")
    assert app.segmented_control(key="section").value == "light"
    assert (app.slider(key="exposure").value, app.slider(key="warmth").value) == (1.25, -0.5)


def test_a_collection_is_ranked_by_light_without_its_missing_files(collection, galleries, tmp_path):
    gone = next((tmp_path / "mine" / "cats").glob("*.png"))
    gone.unlink()
    answered(arrived("retrieval", collection="my-collection", **SECTION), galleries, "hits Same light")
    shown = ids(galleries["hits Same light"])
    assert len(shown) == 11 and not any(gone.name in name for name in shown)


def test_the_tooltip_gives_the_stored_measurement(finished, galleries, monkeypatch, tmp_path):
    stored = same_light.light_test()
    tooltip = answered(arrived("retrieval", **SECTION), galleries, "hits Same light").caption
    (help_,) = [caption.help for caption in tooltip if caption.value == light.IDEA]
    for number in (stored.precision[same_light.LINE], stored.precision[same_light.NETWORK], stored.chance):
        assert f"{number:.3f}" in help_
    some = dataclasses.replace(stored, precision={same_light.LINE: 0.7})
    for test in (same_light.light_test(tmp_path / "nowhere.json"), some):  # missing, and only begun
        monkeypatch.setattr(light, "light_test", lambda test=test: test)
        assert light._quality() is None


def test_embeddings_without_images_have_no_light(home, tmp_path, galleries):
    from transclipped.datasets.embeddings import Embeddings
    from transclipped.errors import InputError

    images = Embeddings.__new__(Embeddings)
    images.name = "vectors"
    with pytest.raises(InputError, match="no pixels"):
        light_of(images)
    job = light.work("vectors", lambda: (light_of(images), np.arange(3)))
    job.thread.join(20)
    assert "vectors" in job.error and job.result is None


def test_the_pipeline_page_answers_twice(home, rows, monkeypatch):
    from transclipped.config import DataConfig

    small = DataConfig(dataset="cifar10", train_limit=60, database_limit=60, query_limit=5)
    monkeypatch.setitem(data.CONFIGS, data.CIFAR, small)
    line = "lighting | l2"  # any line that needs no network
    app = arrived("pipeline", pipe=line, pipe_data="cifar10", pipe_query="2", **SECTION)
    app.button(key="compute").click().run()
    answered(app, rows, "Same light")
    pipeline = tc.Pipeline(line).fit(small)
    identity = int(pipeline.source.images.ids[pipeline.source.split.query[2]])
    for name, ranked in (("Same thing", pipeline.search(identity, light.SHOWN).rows[0]),):
        assert [cell.name for cell in rows[name]] == [pipeline.source.described(row)[1][0] for row in ranked.tolist()]
    before = rows["Same light"]
    app.slider(key="exposure").set_value(-2.0).run()
    assert not app.exception and rows["Same light"] != before and len(rows["Same light"]) == light.SHOWN
    assert "The sliders replaced" in words(app)


def test_a_failed_computation_starts_again_at_the_next_visit(finished, galleries, monkeypatch):
    from transclipped.experiments.pipelines.light_cache import LightCache

    fill = LightCache.fill
    monkeypatch.setattr(LightCache, "fill", lambda *arguments: 1 / 0)
    app = arrived("retrieval", exposure="1.25", **SECTION)
    assert any("ZeroDivisionError" in error.value for error in app.error) and "hits Same light" not in galleries
    assert app.query_params["exposure"] in ("1.25", ["1.25"])
    monkeypatch.setattr(LightCache, "fill", fill)
    answered(app.run(), galleries, "hits Same light")
    assert app.slider(key="exposure").value == 1.25


def test_a_visitor_starts_no_computation_over_a_collection(collection, galleries, monkeypatch):
    from transclipped.ui import access

    monkeypatch.setattr(light, "work", lambda *arguments: 1 / 0)
    monkeypatch.setattr(access, "owner", lambda: False)
    monkeypatch.setattr(access, "readable", lambda path: path)
    app = arrived("retrieval", collection="my-collection", **SECTION)
    assert access.NEEDS_OWNER in words(app) and "hits Same light" not in galleries
