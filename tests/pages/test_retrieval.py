"""The Retrieval page: queries, hits, and errors that name the reason."""

import base64
import csv
import json
import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.image_files import bomb, encoded
from tests.pages.conftest import absent, arrived, keys, opened, words
from transclipped.datasets.images.decode import open_image
from transclipped.datasets.registry import load
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.index import FlatIndex
from transclipped.retrieval.metrics import measure
from transclipped.retrieval.reranking.rocchio import rocchio
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search import floats
from transclipped.search.searcher import Searcher
from transclipped.ui import charts, runs
from transclipped.ui.components import gallery, intake
from transclipped.ui.retrieval import hits
from transclipped.utils.files import ASSETS

retrieval = partial(opened, "retrieval")


@pytest.fixture
def engine(finished):
    return Searcher(RunDir(finished))


@pytest.fixture
def bundled(monkeypatch):
    """The app with its bundled runs."""
    monkeypatch.setattr(runs, "BUNDLED", ASSETS / "runs")


def ids(tiles):
    return [tile.id for tile in tiles]


def ranks(tiles):
    return [int(tile.caption.split()[0][1:]) for tile in tiles]


def best(engine, query, top=24):
    return [str(hit.id) for hit in engine.search(np.asarray(query, np.float32), top=top)]


def change_stored(run, **values):
    """Replace arrays of a run's retrieval.npz."""
    Retrieval(**{**vars(RunDir(run).retrieval()), **values}).save(run / "retrieval.npz")


def test_first_screen_shows_the_first_query_with_its_ranked_hits(engine, galleries):
    app = retrieval()
    expected = engine.search(engine.stored.queries[0].astype(np.float32), top=24)
    label = engine.class_names[engine.stored.query_labels[0]]
    assert ids(galleries["hits"]) == [str(hit.id) for hit in expected]
    assert [tile.relevant for tile in galleries["hits"]] == [label in hit.labels for hit in expected]
    caption = gallery.caption(1, expected[0].labels, expected[0].score, label in expected[0].labels)
    assert galleries["hits"][0].caption == caption
    assert ids(galleries["question"]) == [str(engine.stored.query_ids[0])]
    assert "of 200 images" in words(app)
    assert f"{sum(label in hit.labels for hit in expected)} of 24 share a class" in words(app)


def test_images_of_the_data_set_are_sent_as_stored(engine, galleries):
    retrieval()
    images = load(engine.run.config.data)
    for tile in galleries["hits"][:3]:
        row = int(np.flatnonzero(images.ids.astype(str) == tile.id)[0])
        assert tile.image.file == images.encoded(row)
        assert (tile.image.kind, tile.image.width, tile.image.height) == ("image/jpeg", 32, 32)
        kind, _, text = gallery._url(tile.image, "").partition(";base64,")
        assert kind == "data:image/jpeg" and base64.b64decode(text) == tile.image.file
    assert not gallery._url(gallery.EncodedImage(bytes(10_000), "image/jpeg", 256, 256), "").startswith("data:")


def test_number_class_and_id_choose_the_query(engine, galleries):
    app = retrieval(query="5")
    assert ids(galleries["question"]) == [str(engine.stored.query_ids[5])]
    name = engine.class_names[engine.stored.query_labels[3]]
    app.selectbox(key="class").set_value(name).run()
    number = app.number_input(key="query").value
    assert engine.class_names[engine.stored.query_labels[number]] == name
    assert ids(galleries["question"]) == [str(engine.stored.query_ids[number])]
    app = retrieval(query_id=str(engine.stored.query_ids[7]))
    assert app.number_input(key="query").value == 7
    assert "query_id" not in app.query_params


def test_random_query_is_another_one_of_the_class(engine):
    labels = engine.stored.query_labels
    common = int(np.bincount(labels).argmax())
    app = retrieval(**{"class": engine.class_names[common]})
    before = app.number_input(key="query").value
    app.button(key="random").click().run()
    after = app.number_input(key="query").value
    assert after != before and labels[after] == common


def test_a_database_image_as_query_finds_its_code_first(engine, galleries):
    name = str(engine.stored.database_ids[11])
    retrieval(query_id=name)
    assert ids(galleries["question"]) == [name]
    first = galleries["hits"][0]
    row = np.flatnonzero(engine.stored.database_ids.astype(str) == first.id)[0]
    assert (engine.stored.codes[row] == engine.stored.codes[11]).all() and first.caption.startswith("#1 ")
    label = engine.class_names[engine.stored.database_labels[11]]
    assert all(tile.relevant == (f" {label} " in tile.caption) for tile in galleries["hits"])


def test_several_images_query_by_their_mean(engine, galleries):
    names = [str(name) for name in engine.stored.query_ids[[2, 9]]]
    app = retrieval(query_id=names)
    assert ids(galleries["question"]) == names
    assert ids(galleries["hits"]) == best(engine, engine.stored.queries[[2, 9]].astype(np.float32).mean(0))
    assert "2 images" in words(app)


def test_a_query_among_its_hits_is_mentioned_and_the_stored_query_can_be_restored(engine, galleries):
    name = str(engine.stored.database_ids[11])
    app = retrieval(query="3", query_id=name)
    assert name in ids(galleries["hits"]) and "share a class with the query, including" in words(app)
    assert app.button(key="stored").label.endswith("query 3")
    app.button(key="stored").click().run()
    assert ids(galleries["question"]) == [str(engine.stored.query_ids[3])]
    assert "share a class with the query." in words(app)


def test_unknown_image_is_named_and_another_is_the_query(finished, galleries):
    app = retrieval(query_id="nothing like it")
    assert absent(app) == {"query_id"} and "nothing like it" in words(app)
    assert len(galleries["hits"]) == 24


def test_without_its_network_a_database_image_is_queried_by_its_code(finished, engine, galleries):
    (finished / "model.safetensors").unlink()
    app = retrieval(query_id=str(engine.stored.database_ids[11]))
    assert not app.error
    assert ids(galleries["hits"]) == best(engine, decode(engine.stored.codebooks, engine.stored.codes[11:12])[0])


def test_why_adds_up_to_the_score_and_can_be_saved(engine, galleries, monkeypatch):
    saved = {}
    monkeypatch.setattr(charts, "offer", lambda data, *, key, **_: saved.update({key: data().decode("utf-8-sig")}))
    app = retrieval(hit="3")  # an older link, without its section
    assert app.query_params["section"] == "why"
    stored, query = engine.stored, engine.stored.queries[0].astype(np.float32)
    hit = engine.search(query, top=24)[2]
    assert f"The score {hit.score:.3f} is a sum" in words(app)
    names = stored.database_ids.astype(str)
    most = (stored.codebooks @ query.reshape(4, -1, 1)).max(1)[:, 0] / 4
    assert "a quarter of its cosine" in words(app)
    for m in range(4):
        assert f"adds **{hit.by_codebook[m]:.3f}**, a quarter of the cosine {4 * hit.by_codebook[m]:.3f}" in words(app)
        assert any(f"{hit.by_codebook[m]:.3f} of at most {most[m]:.3f}" in html.body for html in app.get("html"))
        for tile in galleries.get(f"standing {m}", []):
            row = np.flatnonzero(names == tile.id)[0]
            assert row != hit.row and stored.codes[row, m] == stored.codes[hit.row, m]
    lines = list(csv.DictReader(saved["why"].splitlines()))
    assert [int(line["codeword"]) for line in lines] == stored.codes[hit.row].tolist()
    assert sum(float(line["adds"]) for line in lines) == pytest.approx(hit.score, abs=1e-5)
    assert all(float(line["adds"]) <= float(line["most"]) + 1e-6 for line in lines)


def test_three_searches_are_those_of_the_library(engine, galleries):
    app = retrieval(section="searches", query="4")
    query, books = engine.stored.queries[4].astype(np.float32), engine.stored.codebooks
    coded = decode(books, encode(books, query[None]))[0]
    index = FlatIndex(floats.database(engine, load(engine.run.config.data)).embeddings, codebooks=len(books))
    assert ids(galleries["hits asymmetric"]) == best(engine, query, 8)
    assert ids(galleries["hits symmetric"]) == best(engine, coded, 8)
    assert ids(galleries["hits float"]) == [str(hit.id) for hit in floats.search(engine, index, query, top=8)]
    assert f"{engine.run.metrics()['modes']['float']['map']:.3f}" in words(app)


def test_float_search_without_cached_embeddings_reranks_the_best_by_codes(finished, galleries, tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "empty"))
    app = retrieval(section="searches")
    assert "200 of 200 are not in the feature cache" in words(app)
    assert len(galleries["hits float"]) == 8


def shorter(run, path):
    """A run of 16 bits over the same images and queries."""
    shutil.copytree(run, path)
    config = json.loads((path / "config.json").read_text())
    config["quantizer"]["bits"] = 16
    (path / "config.json").write_text(json.dumps(config))
    rng = np.random.default_rng(0)
    books = rng.normal(size=(2, 256, 32)).astype(np.float32)
    books /= np.linalg.norm(books, axis=-1, keepdims=True)
    codes = rng.integers(256, size=(len(RunDir(run).retrieval().codes), 2)).astype(np.uint8)
    change_stored(path, codebooks=books, codes=codes)
    return Searcher(RunDir(path))


def test_code_lengths_are_side_by_side_with_their_hits(finished, engine, galleries):
    assert "other than 32 bits" in words(retrieval(section="lengths"))
    short = shorter(finished, finished.parent / "short")
    app = retrieval(section="lengths", run="tiny", query="6")
    query = engine.stored.queries[6]
    assert ids(galleries["hits 32"]) == best(engine, query, 8)
    assert ids(galleries["hits 16"]) == best(short, query, 8)
    assert "2 bytes per image" in words(app) and "4 bytes per image" in words(app)


def test_hardest_and_easiest_queries_are_ordered_by_average_precision(engine, galleries):
    retrieval(section="extremes")
    stored = engine.stored
    labels = {"query_labels": stored.query_labels, "database_labels": stored.database_labels}
    options = {"k": engine.run.metrics()["k"], "tie_aware": False, "curve": False}
    values = measure(engine.index, stored.queries.astype(np.float32), **labels, **options).average_precision
    order = np.argsort(values, kind="stable")
    assert ids(galleries["hardest"]) == [str(name) for name in stored.query_ids[order[:12]]]
    assert galleries["easiest"][0].caption.endswith(f"{values.max():.3f}")


def test_size_is_shown_and_time_is_measured_on_demand(finished):
    app = retrieval(section="cost")
    assert f"{200 * 256 / (200 * 4 + 65_536):.1f}×" in words(app)
    assert "as long" not in words(app)
    app.button(key="timing").click().run()
    assert "as long" in words(app) and not app.exception


def test_feedback_searches_again_by_rocchios_query(engine, galleries):
    app = retrieval(section="teach")
    first = ids(galleries["hits"])
    assert app.button(key="again").disabled
    state = app.session_state["taught"]
    state["marks"] = {first[4]: 1, first[0]: -1}
    app.session_state["taught"] = state
    app.run()
    assert [tile.mark for tile in galleries["hits"]][:5] == [-1, 0, 0, 0, 1]
    assert ids(galleries["hits"]) == first  # until the button is pressed
    app.button(key="again").click().run()
    names = engine.stored.database_ids.astype(str)
    good, bad = (engine.stored.codes[names == name] for name in (first[4], first[0]))
    books = engine.stored.codebooks
    moved = rocchio(engine.stored.queries[0], decode(books, good), decode(books, bad), codebooks=4)
    assert ids(galleries["hits"]) == best(engine, moved)
    assert "Before:" in words(app)
    app.button(key="forget").click().run()
    assert ids(galleries["hits"]) == first


@pytest.mark.parametrize("name", ["searches", "lengths", "quality", "extremes", "teach"])
def test_run_without_labels_has_no_frames_and_no_errors(finished, galleries, name):
    change_stored(finished, database_labels=None, query_labels=None)
    assert not retrieval(section=name).error
    assert {tile.relevant for tile in galleries["hits"]} == {None}


def test_quality_compares_this_query_with_all_and_means_over_few_are_called_rough(finished):
    app = retrieval(section="quality")
    assert not app.error and len(app.get("plotly_chart")) == 3
    assert "only 40 queries" in words(app)
    metrics = json.loads((finished / "metrics.json").read_text())
    (finished / "metrics.json").write_text(json.dumps(metrics | {"n_queries": 100}))
    assert "rough" not in words(retrieval(section="quality"))


@pytest.mark.parametrize("name", [*hits.SECTIONS])
def test_each_section_draws_the_hits_once(finished, monkeypatch, name):
    drawn, draw = [], gallery.draw

    def recorded(tiles, *, key, **rest):
        drawn.append(key)
        return draw(tiles, key=key, **rest)

    monkeypatch.setattr(gallery, "draw", recorded)
    app = retrieval(section=name)
    assert not app.error and drawn.count("hits") == 1
    assert drawn.count("question") == 1


def test_a_hit_beside_why_is_explained_and_highlighted(finished, galleries, engine):
    app = retrieval(section="why", hit="5")
    assert [tile.on for tile in galleries["hits"]] == [i == 4 for i in range(24)]
    assert galleries["why image"][0].id == galleries["hits"][4].id
    app.number_input(key="hit").set_value(2).run()
    assert galleries["why image"][0].id == galleries["hits"][1].id and galleries["hits"][1].on
    app.button(key="search with hit").click().run()
    assert ids(galleries["question"]) == [best(engine, engine.stored.queries[0])[1]]
    assert galleries["why image"] and not app.exception


def test_a_section_shows_few_hits_beside_itself(finished, galleries):
    retrieval(section="cost", top="48")
    assert ranks(galleries["hits"]) == list(range(1, 13))


def test_hits_are_filtered_by_class_and_mistake_and_keep_their_ranks(engine, galleries):
    every = engine.search(engine.stored.queries[0].astype(np.float32), top=200)
    mine = engine.class_names[engine.stored.query_labels[0]]
    app = retrieval(hit_kind="other")
    assert ranks(galleries["hits"]) == [hit.rank for hit in every if mine not in hit.labels][:24]
    assert {tile.relevant for tile in galleries["hits"]} == {False}
    app.multiselect(key="hit_classes").set_value([mine]).run()
    assert galleries["hits"] == [] and not app.exception
    app.segmented_control(key="hit_kind").set_value("all").run()
    assert ranks(galleries["hits"]) == [hit.rank for hit in every if mine in hit.labels][:24]
    app.button(key="hits unfiltered").click().run()
    assert ranks(galleries["hits"]) == list(range(1, 25)) and "hit_kind" not in app.query_params


def test_hits_are_sorted_and_filters_hold_in_every_section(engine, galleries):
    retrieval(hit_order="worst")
    assert ranks(galleries["hits"]) == list(range(24, 0, -1))
    retrieval(hit_order="mistakes")
    order = [tile.relevant for tile in galleries["hits"]]
    assert order == sorted(order) and set(order) == {True, False}
    retrieval(section="why", hit_kind="other", hit="2")
    assert galleries["why image"][0].id == galleries["hits"][1].id and galleries["why image"][0].relevant is False
    app = retrieval(hit_classes="no such class", hit_kind="nonsense", section="teach")
    assert absent(app) >= {"hit_classes"} and ranks(galleries["hits"]) == list(range(1, 25))


def test_no_hit_passes_and_no_section_fails(finished, galleries, engine):
    mine = engine.class_names[engine.stored.query_labels[0]]
    for name in hits.SECTIONS:
        app = retrieval(section=name, hit_kind="other", hit_classes=mine)
        assert not app.error and galleries["hits"] == []


def test_hard_queries_are_filtered_by_class_and_first_hit(engine, galleries):
    stored = engine.stored
    first = engine.index.search(stored.queries.astype(np.float32), 1).rows[:, 0]
    right = stored.database_labels[first] == stored.query_labels
    name = engine.class_names[stored.query_labels[0]]
    numbers = np.flatnonzero(~right & (stored.query_labels == stored.query_labels[0]))
    app = retrieval(section="extremes", first_hit="wrong", of_class=name)
    assert {*ids(galleries["hardest"])} == {str(each) for each in stored.query_ids[numbers]}
    assert f"{len(numbers)} of 40" in words(app)
    app.segmented_control(key="first_hit").set_value("right").run()
    expected = np.flatnonzero(right & (stored.query_labels == stored.query_labels[0]))
    assert {*ids(galleries["easiest"])} <= {str(each) for each in stored.query_ids[expected]}


PHOTO = Image.fromarray(np.random.default_rng(0).integers(256, size=(90, 120, 3), dtype=np.uint8))
ROTATED = Image.Exif()
ROTATED[0x0112] = 6
FINE = {
    "plain.jpg": encoded(PHOTO, "JPEG"),
    "cmyk.tif": encoded(PHOTO.convert("CMYK"), "TIFF"),
    "cmyk.jpg": encoded(PHOTO.convert("CMYK"), "JPEG"),
    "sixteen.png": encoded(Image.fromarray(np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16)),
    "alpha.png": encoded(PHOTO.convert("RGBA")),
    "moving.gif": encoded(PHOTO, "GIF", save_all=True, append_images=[PHOTO.transpose(Image.Transpose.ROTATE_180)]),
    "turned.jpg": encoded(PHOTO, "JPEG", exif=ROTATED),
    "dot.png": encoded(Image.new("RGB", (1, 1), "red")),
    "strip.png": encoded(Image.new("RGB", (30_000, 1), "red")),
    "palette.png": encoded(PHOTO.convert("P")),
}
REFUSED = {
    "notes.txt": (b"not an image", "unknown format"),
    "empty.png": (b"", "empty"),
    "cut.jpg": (FINE["plain.jpg"][:900], "damaged"),
    "bomb.png": (bomb(), "pixels"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unknown format"),
}


def uploaded(*files, **query):
    app = retrieval(how="upload", **query)
    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files]).run()
    assert not app.exception, [e.value for e in app.exception]
    return app


@pytest.mark.parametrize("name", FINE)
def test_valid_uploads_are_searched_as_by_the_library(engine, galleries, name):
    app = uploaded((name, FINE[name]))
    assert not app.error
    assert ids(galleries["hits"]) == best(engine, engine.embed([open_image(FINE[name])])[0])
    assert {tile.relevant for tile in galleries["hits"]} == {None}
    preview = galleries["question"][0].image
    assert max(preview.width, preview.height) <= gallery.SIDE and preview.file
    if name == "turned.jpg":
        assert (preview.width, preview.height) == (90, 120)


@pytest.mark.parametrize("name", REFUSED)
def test_invalid_uploads_are_refused_and_the_others_are_searched(finished, galleries, name):
    content, reason = REFUSED[name]
    app = uploaded((name, content), ("plain.jpg", FINE["plain.jpg"]))
    assert len(app.error) == 1
    assert name in app.error[0].value and reason in app.error[0].value
    assert len(galleries["question"]) == 1 and len(galleries["hits"]) == 24


def test_several_uploads_query_by_their_mean(engine, galleries):
    files = [(name, FINE[name]) for name in ("plain.jpg", "dot.png", "alpha.png")]
    uploaded(*files)
    vectors = engine.embed([open_image(content) for _, content in files])
    assert ids(galleries["hits"]) == best(engine, vectors.mean(0))


def test_file_over_the_limit_is_refused_before_it_is_read(monkeypatch):
    errors = []
    monkeypatch.setattr(intake.st, "error", errors.append)
    assert intake._usable("huge.png", SimpleNamespace(size=21 << 20)) is None
    assert "huge.png" in errors[0] and "21 MB" in errors[0]


def test_a_reduced_image_keeps_its_middle_square():
    strip = Image.new("RGB", (40_000, 2), "red")
    strip.paste("blue", (19_999, 0, 20_001, 2))
    reduced = intake.reduced(strip)
    assert reduced.size == (8192, 2)
    assert [reduced.getpixel((x, 0)) for x in (4095, 4096)] == [(0, 0, 255)] * 2
    assert intake.reduced(Image.new("RGB", (4000, 3000))).size == (683, 512)
    assert intake.reduced(PHOTO) is PHOTO


def test_photo_from_the_camera_is_searched(engine, galleries):
    app = retrieval(how="camera")
    app.camera_input[0].set_value(("shot.jpg", FINE["plain.jpg"], "image/jpeg")).run()
    assert not app.exception and not app.error
    assert ids(galleries["hits"]) == best(engine, engine.embed([open_image(FINE["plain.jpg"])])[0])


def test_a_collection_is_listed_and_searched_and_its_images_are_queries(finished, collection, galleries):
    app = retrieval()
    listed = next(frame.value for frame in app.dataframe if "collection" in frame.value)
    assert listed[["collection", "run", "images"]].values.tolist() == [["my-collection", "tiny", 12]]
    assert "my-collection" in app.selectbox(key="collection").options
    app.selectbox(key="collection").set_value("my-collection").run()
    app.segmented_control(key="section").set_value("why").run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == "my-collection"
    engine = Searcher(RunDir(finished), collection=collection)
    query = RunDir(finished).retrieval().queries[0]
    assert ids(galleries["hits"]) == best(engine, query)
    assert all(tile.image is not None for tile in galleries["hits"])
    first = engine.search(query.astype(np.float32), top=1)[0]
    assert first.path in [code.value for code in app.code]  # to copy
    name = str(engine.stored.database_ids[4])
    retrieval(collection=str(collection), query_id=name)
    assert ids(galleries["question"]) == [name]
    with Image.open(engine.search(query.astype(np.float32), top=12)[0].path) as image:
        assert image.size == (32, 32)


@pytest.mark.parametrize("typed", [False, True], ids=["link", "typed"])
def test_folder_of_a_listed_collection_becomes_its_name_in_the_address(finished, collection, galleries, typed):
    app = retrieval(**({} if typed else {"collection": str(collection)}))
    if typed:
        app.query_params["collection"] = str(collection)  # as the field does, whose new options AppTest cannot type
        app.run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == "my-collection"
    query = RunDir(finished).retrieval().queries[0]
    assert ids(galleries["hits"]) == best(Searcher(RunDir(finished), collection=collection), query)


def test_a_collection_elsewhere_keeps_its_folder_in_the_address(finished, collection, tmp_path, galleries):
    shutil.copytree(collection, tmp_path / "elsewhere")
    app = retrieval(collection=str(tmp_path / "elsewhere"))
    assert "collection" not in app.query_params and len(galleries["hits"]) == 24  # anyone may have made the link
    app.button(key="open linked").click().run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == str(tmp_path / "elsewhere")
    assert len(galleries["hits"]) == 12
    app.selectbox(key="collection").set_value("").run()
    assert "collection" not in app.query_params and len(galleries["hits"]) == 24


@pytest.mark.parametrize(
    ("key", "links"),
    [
        (
            "section",
            {
                "Teach it": "teach",
                "How good": "quality",
                "Hardest and easiest": "extremes",
                "Three searches": "searches",
                "Why this hit": "why",
                "Size and speed": "cost",
                "Hits": None,
                "nonsense": None,
            },
        ),
        ("how", {"data set": None, "upload": "upload", "nonsense": None}),
        ("collection", {"the run's own database": None}),
    ],
)
def test_old_links_open_the_page_and_become_short(finished, key, links):
    for old, new in links.items():
        app = retrieval(**{key: old})
        assert not app.error
        assert app.query_params.get(key) == new


def test_a_hit_replaces_an_upload_as_query(finished, galleries):
    app = uploaded(("plain.jpg", FINE["plain.jpg"]))
    app.query_params.pop("how")  # as a click does
    app.query_params["query_id"] = galleries["hits"][2].id
    app.run()
    assert not app.exception and "query_id" in app.query_params
    assert app.segmented_control(key="how").value == "set"
    assert ids(galleries["question"]) == [app.query_params["query_id"]]


def test_a_folder_that_is_not_a_collection_is_refused_beside_the_query(finished, tmp_path, galleries):
    app = retrieval(collection=str(tmp_path))
    assert "collection.json" not in words(app)  # not opened yet
    app.button(key="open linked").click().run()
    assert len(app.error) == 1 and "collection.json" in app.error[0].value
    assert len(galleries["question"]) == 1
    app.button(key="search own").click().run()
    assert not app.error and len(galleries["hits"]) == 24


def test_deleted_images_of_a_collection_leave_their_names(finished, collection, tmp_path, galleries):
    shutil.rmtree(tmp_path / "mine")
    assert not retrieval(collection=str(collection)).error
    assert {tile.image for tile in galleries["hits"]} == {None}


def test_an_image_of_the_database_comes_first_among_hits_of_its_code(finished, galleries):
    stored = RunDir(finished).retrieval()
    stored.codes[[3, 50, 120]] = stored.codes[120]
    stored.save(finished / "retrieval.npz")
    three, fifty, itself = (str(stored.database_ids[row]) for row in (3, 50, 120))
    app = retrieval(query_id=itself)
    assert [name for name in ids(galleries["hits"]) if name in (three, fifty, itself)] == [itself, three, fifty]
    assert "chance" in words(app)


@pytest.fixture
def other_run(finished, transformer_run):
    """A second run, under the name of `other`."""
    shutil.copytree(transformer_run, finished.parent / "other")
    return finished.parent / "other"


def test_a_collection_of_another_run_offers_that_run_and_keeps_the_query(collection, other_run, galleries):
    galleries.clear()
    app = retrieval(run="other", collection="my-collection")
    assert not app.error and "hits" not in galleries
    assert ids(galleries["question"]) == [str(RunDir(other_run).retrieval().query_ids[0])]
    app.button(key="switch run").click().run()
    assert not app.error and app.selectbox(key="run").value == "tiny"
    assert len(galleries["hits"]) == 12 and app.query_params["collection"] == "my-collection"


def test_a_collection_of_a_deleted_run_offers_the_runs_database(finished, collection, other_run, galleries):
    shutil.rmtree(finished)
    app = retrieval(collection="my-collection")
    assert not app.error and "switch run" not in keys(app)
    app.button(key="search own").click().run()
    assert "collection" not in app.query_params and galleries["hits"]


def photo(side):
    """A JPEG of noise, uploaded to the run of icons."""
    image = Image.effect_noise((side, side), 60).convert("RGB")
    return uploaded(("mine.jpg", encoded(image, "JPEG")), run="tiny")


@pytest.mark.parametrize(("side", "offered"), [(32, False), (95, False), (96, True), (600, True)])
def test_a_photo_is_offered_the_run_for_photos(finished, bundled, side, offered):
    app = photo(side)
    assert ("hybrid-caltech101-32-clipped" in "".join(m.value.replace("\\", "") for m in app.markdown)) == offered
    assert ("for photographs" in keys(app)) == offered


def test_switching_to_the_run_for_photos_keeps_the_upload(finished, galleries, bundled):
    app = photo(300)
    before = ids(galleries["question"])
    app.button(key="for photographs").click().run()
    assert not app.error and app.selectbox(key="run").value == "hybrid-caltech101-32-clipped"
    assert ids(galleries["question"]) == before and len(galleries["hits"]) == 24
    assert "for photographs" not in keys(app)


def test_a_collection_of_other_classes_is_not_judged_by_those_of_the_query(finished, collection, galleries):
    app = retrieval(collection="my-collection")  # cars and cats, unlike CIFAR-10's automobile and cat
    assert len(galleries["hits"]) == 12 and {tile.relevant for tile in galleries["hits"]} == {None}
    assert "share a class" not in words(app)
    retrieval(collection="my-collection", query_id=galleries["hits"][0].id)
    assert {tile.relevant for tile in galleries["hits"]} == {True, False}


@pytest.mark.parametrize("name", [*hits.SECTIONS])
def test_a_lesson_has_a_sentence_to_say_and_a_query_to_step_through(finished, galleries, said, name):
    arrived("retrieval", section=name)
    assert not said
    app = arrived("retrieval", section=name, lesson="1")
    assert not app.error and len(said) == 1 and said[0] in words(app)
    before = ids(galleries["question"])
    app.number_input(key="query").set_value(1).run()
    assert ids(galleries["question"]) != before and not app.exception
