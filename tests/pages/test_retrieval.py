"""The Retrieval page: what asks, what is found, and what is refused in a sentence."""

import base64
import csv
import io
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tests.image_files import bomb, encoded
from tests.pages.conftest import opened, words
from transclipped.datasets.registry import load
from transclipped.retrieval.coding.product import decode, encode
from transclipped.retrieval.reranking.rocchio import rocchio
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.ui import charts
from transclipped.ui.components import gallery, intake


@pytest.fixture
def drawn(monkeypatch):
    """Tiles of every gallery that was drawn last, by its key."""
    found, draw = {}, gallery.draw

    def spied(tiles, *, key, **rest):
        found[key] = tiles
        return draw(tiles, key=key, **rest)

    monkeypatch.setattr(gallery, "draw", spied)
    return found


@pytest.fixture
def engine(finished):
    return Searcher(RunDir(finished))


def ids(tiles):
    return [tile.id for tile in tiles]


def best(engine, query, top=24):
    return [str(hit.id) for hit in engine.search(np.asarray(query, np.float32), top=top)]


def section(name, **query):
    return opened("retrieval", section=name, **query)


def test_first_screen_is_the_first_query_with_its_hits_ranked_framed_and_captioned(engine, drawn):
    app = opened("retrieval")
    hits = engine.search(engine.stored.queries[0].astype(np.float32), top=24)
    wanted = engine.class_names[engine.stored.query_labels[0]]
    assert ids(drawn["hits"]) == [str(hit.id) for hit in hits]
    assert [tile.relevant for tile in drawn["hits"]] == [wanted in hit.labels for hit in hits]
    assert drawn["hits"][0].caption == gallery.caption(1, hits[0].labels, hits[0].score, wanted in hits[0].labels)
    assert ids(drawn["question"]) == [str(engine.stored.query_ids[0])]
    assert "of 200 images" in words(app)
    assert f"{sum(wanted in hit.labels for hit in hits)} of 24 share a class" in words(app)


def test_images_of_the_data_set_reach_the_browser_as_they_are_kept(engine, drawn):
    opened("retrieval")
    images = load(engine.run.config.data)
    for tile in drawn["hits"][:3]:
        row = int(np.flatnonzero(images.ids.astype(str) == tile.id)[0])
        assert tile.image.file == images.encoded(row)
        assert (tile.image.kind, tile.image.width, tile.image.height) == ("image/jpeg", 32, 32)
        kind, _, text = gallery._url(tile.image, "").partition(";base64,")
        assert kind == "data:image/jpeg" and base64.b64decode(text) == tile.image.file
    assert not gallery._url(gallery.EncodedImage(bytes(10_000), "image/jpeg", 256, 256), "").startswith("data:")


def test_number_and_class_choose_the_query(engine, drawn):
    app = opened("retrieval", query="5")
    assert ids(drawn["question"]) == [str(engine.stored.query_ids[5])]
    name = engine.class_names[engine.stored.query_labels[3]]
    app.selectbox(key="class").set_value(name).run()
    number = app.number_input(key="query").value
    assert engine.class_names[engine.stored.query_labels[number]] == name
    assert ids(drawn["question"]) == [str(engine.stored.query_ids[number])]


def test_random_query_is_another_one_of_the_class(engine, drawn):
    labels = engine.stored.query_labels
    common = int(np.bincount(labels).argmax())
    app = opened("retrieval", **{"class": engine.class_names[common]})
    before = app.number_input(key="query").value
    app.button(key="random").click().run()
    after = app.number_input(key="query").value
    assert after != before and labels[after] == common


def test_id_of_a_stored_query_in_the_address_becomes_its_number(engine, drawn):
    app = opened("retrieval", query_id=str(engine.stored.query_ids[7]))
    assert app.number_input(key="query").value == 7
    assert "query_id" not in app.query_params


def test_a_database_image_asks_and_finds_itself_first(engine, drawn):
    name = str(engine.stored.database_ids[11])
    opened("retrieval", query_id=name)
    assert ids(drawn["question"]) == [name]
    first = drawn["hits"][0]
    own = engine.stored.codes[11]
    row = np.flatnonzero(engine.stored.database_ids.astype(str) == first.id)[0]
    assert (engine.stored.codes[row] == own).all() and first.caption.startswith("#1 ")
    label = engine.class_names[engine.stored.database_labels[11]]
    assert all(tile.relevant == (f" {label} " in tile.caption) for tile in drawn["hits"])


def test_several_images_ask_by_their_mean(engine, drawn):
    names = [str(name) for name in engine.stored.query_ids[[2, 9]]]
    app = opened("retrieval", query_id=names)
    assert ids(drawn["question"]) == names
    assert ids(drawn["hits"]) == best(engine, engine.stored.queries[[2, 9]].astype(np.float32).mean(0))
    assert "2 images ask together" in words(app)


def test_an_image_that_finds_itself_is_told_and_a_stored_query_asks_again(engine, drawn):
    name = str(engine.stored.database_ids[11])
    app = opened("retrieval", query="3", query_id=name)
    assert name in ids(drawn["hits"]) and "share a class with the query, itself among them." in words(app)
    assert app.button(key="stored").label == "Ask with query 3"
    app.button(key="stored").click().run()
    assert ids(drawn["question"]) == [str(engine.stored.query_ids[3])]
    assert "share a class with the query." in words(app)


def test_unknown_image_is_told_and_another_asks(finished, drawn):
    app = opened("retrieval", query_id="nothing like it")
    assert "has no image nothing like it" in words(app)
    assert len(drawn["hits"]) == 24


def test_without_its_network_a_database_image_asks_by_its_code(finished, engine, drawn):
    (finished / "model.safetensors").unlink()
    app = opened("retrieval", query_id=str(engine.stored.database_ids[11]))
    assert not app.error
    assert ids(drawn["hits"]) == best(engine, decode(engine.stored.codebooks, engine.stored.codes[11:12])[0])


def test_why_adds_up_to_the_score_and_shows_images_with_the_hits_codewords(engine, drawn):
    app = opened("retrieval", hit="3")
    hit = engine.search(engine.stored.queries[0].astype(np.float32), top=24)[2]
    assert f"The score {hit.score:.3f} is a sum" in words(app)
    names = engine.stored.database_ids.astype(str)
    best = (engine.stored.codebooks @ engine.stored.queries[0].astype(np.float32).reshape(4, -1, 1)).max(1)[:, 0] / 4
    for m in range(4):
        assert f"adds **{hit.by_codebook[m]:.3f}**" in words(app)
        assert any(f"{hit.by_codebook[m]:.3f} of at most {best[m]:.3f}" in html.body for html in app.get("html"))
        for tile in drawn.get(f"standing {m}", []):
            row = np.flatnonzero(names == tile.id)[0]
            assert row != hit.row and engine.stored.codes[row, m] == engine.stored.codes[hit.row, m]


def test_what_adds_up_to_the_score_can_be_saved(engine, drawn, monkeypatch):
    offered = {}
    monkeypatch.setattr(charts, "offer", lambda data, *, key, **_: offered.update({key: data().decode("utf-8-sig")}))
    opened("retrieval", hit="3")
    hit = engine.search(engine.stored.queries[0].astype(np.float32), top=24)[2]
    lines = list(csv.DictReader(offered["why"].splitlines()))
    assert [int(line["codeword"]) for line in lines] == engine.stored.codes[hit.row].tolist()
    assert sum(float(line["adds"]) for line in lines) == pytest.approx(hit.score, abs=1e-5)
    assert all(float(line["adds"]) <= float(line["most"]) + 1e-6 for line in lines)


def test_three_searches_are_those_of_the_library(engine, drawn):
    from transclipped.retrieval.index import FlatIndex
    from transclipped.search import floats

    app = section("searches", query="4")
    query, books = engine.stored.queries[4].astype(np.float32), engine.stored.codebooks
    coded = decode(books, encode(books, query[None]))[0]
    found = floats.database(engine, load(engine.run.config.data))
    by_floats = floats.search(engine, FlatIndex(found.embeddings, codebooks=len(books)), query, top=8)
    assert ids(drawn["hits asymmetric"]) == best(engine, query, 8)
    assert ids(drawn["hits symmetric"]) == best(engine, coded, 8)
    assert ids(drawn["hits float"]) == [str(hit.id) for hit in by_floats]
    assert f"{engine.run.metrics()['modes']['float']['map']:.3f}" in words(app)


def test_float_search_without_cached_embeddings_says_so_and_orders_the_best_by_codes(
    finished, drawn, tmp_path, monkeypatch
):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "empty"))
    app = section("searches")
    assert "200 of 200 are not in the feature cache" in words(app)
    assert len(drawn["hits float"]) == 8


def shorter(run, path):
    """A run of 16 bits over the same images and queries."""
    shutil.copytree(run, path)
    config = json.loads((path / "config.json").read_text())
    config["quantizer"]["bits"] = 16
    (path / "config.json").write_text(json.dumps(config))
    stored = RunDir(run).retrieval()
    rng = np.random.default_rng(0)
    books = rng.normal(size=(2, 256, 32)).astype(np.float32)
    books /= np.linalg.norm(books, axis=-1, keepdims=True)
    codes = rng.integers(256, size=(len(stored.codes), 2)).astype(np.uint8)
    rest = {name: value for name, value in vars(stored).items() if name not in ("codebooks", "codes")}
    Retrieval(codebooks=books, codes=codes, **rest).save(path / "retrieval.npz")
    return Searcher(RunDir(path))


def test_code_lengths_stand_side_by_side_each_with_its_own_hits(finished, engine, drawn):
    short = shorter(finished, finished.parent / "short")
    app = section("lengths", run="tiny", query="6")
    query = engine.stored.queries[6]
    assert ids(drawn["hits 32"]) == best(engine, query, 8)
    assert ids(drawn["hits 16"]) == best(short, query, 8)
    assert "2 bytes an image" in words(app) and "4 bytes an image" in words(app)


def test_without_other_code_lengths_the_page_says_what_to_train(finished):
    assert "other than 32 bits" in words(section("lengths"))


def test_hardest_and_easiest_queries_are_ordered_by_average_precision(engine, drawn):
    from transclipped.retrieval.metrics import measure

    section("extremes")
    stored = engine.stored
    values = measure(
        engine.index, stored.queries.astype(np.float32), query_labels=stored.query_labels,
        database_labels=stored.database_labels, k=engine.run.metrics()["k"], tie_aware=False, curve=False,
    ).average_precision  # fmt: skip
    order = np.argsort(values, kind="stable")
    assert ids(drawn["hardest"]) == [str(name) for name in stored.query_ids[order[:12]]]
    assert drawn["easiest"][0].caption.endswith(f"{values.max():.3f}")


def test_size_is_told_and_time_is_measured_when_asked(finished):
    app = section("cost")
    assert f"{200 * 256 / (200 * 4 + 65_536):.1f}×" in words(app)
    assert "as long" not in words(app)
    app.button(key="timing").click().run()
    assert "as long" in words(app) and not app.exception


def test_feedback_searches_again_by_rocchios_query(engine, drawn):
    app = section("teach")
    shown = ids(drawn["taught-hits"])
    assert app.button(key="again").disabled
    taught = app.session_state["taught"]
    taught["marks"] = {shown[4]: 1, shown[0]: -1}
    app.session_state["taught"] = taught
    app.run()
    assert [tile.mark for tile in drawn["taught-hits"]][:5] == [-1, 0, 0, 0, 1]
    assert ids(drawn["taught-hits"]) == shown  # until it is asked to
    app.button(key="again").click().run()
    names = engine.stored.database_ids.astype(str)
    good, bad = (engine.stored.codes[names == name] for name in (shown[4], shown[0]))
    books = engine.stored.codebooks
    moved = rocchio(engine.stored.queries[0], decode(books, good), decode(books, bad), codebooks=4)
    assert ids(drawn["taught-hits"]) == best(engine, moved)
    assert "Before:" in words(app)
    app.button(key="forget").click().run()
    assert ids(drawn["taught-hits"]) == shown


@pytest.mark.parametrize("name", ["searches", "lengths", "quality", "extremes", "teach"])
def test_run_without_labels_has_no_frames_and_fails_nowhere(finished, drawn, name):
    stored = RunDir(finished).retrieval()
    Retrieval(**{**vars(stored), "database_labels": None, "query_labels": None}).save(finished / "retrieval.npz")
    app = section(name)
    assert not app.error
    assert {tile.relevant for tile in drawn["hits"]} == {None}


def test_quality_compares_this_query_with_all(finished):
    app = section("quality")
    assert not app.error
    assert "the share of relevant images among the first k hits" in words(app)


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
    "notes.txt": (b"not an image", "no known image format"),
    "empty.png": (b"", "empty"),
    "cut.jpg": (FINE["plain.jpg"][:900], "damaged"),
    "bomb.png": (bomb(), "pixels"),
    "drawing.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no known image format"),
}


def brought(*files):
    app = opened("retrieval", how="upload")
    app.file_uploader[0].set_value([(name, content, "application/octet-stream") for name, content in files]).run()
    assert not app.exception, [e.value for e in app.exception]
    return app


@pytest.mark.parametrize("name", FINE)
def test_uploads_that_can_be_used_ask_as_the_library_would(engine, drawn, name):
    from transclipped.datasets.images.decode import open_image

    app = brought((name, FINE[name]))
    assert not app.error
    assert ids(drawn["hits"]) == best(engine, engine.embed([open_image(FINE[name])])[0])
    assert {tile.relevant for tile in drawn["hits"]} == {None}
    shown = drawn["question"][0].image
    assert max(shown.width, shown.height) <= gallery.SIDE and shown.file
    if name == "turned.jpg":
        assert (shown.width, shown.height) == (90, 120)


@pytest.mark.parametrize("name", REFUSED)
def test_uploads_that_cannot_be_used_are_refused_in_a_sentence_and_others_still_ask(finished, drawn, name):
    content, reason = REFUSED[name]
    app = brought((name, content), ("plain.jpg", FINE["plain.jpg"]))
    assert len(app.error) == 1
    assert name in app.error[0].value and reason in app.error[0].value
    assert len(drawn["question"]) == 1 and len(drawn["hits"]) == 24


def test_several_uploads_ask_by_their_mean(engine, drawn):
    from transclipped.datasets.images.decode import open_image

    files = [(name, FINE[name]) for name in ("plain.jpg", "dot.png", "alpha.png")]
    brought(*files)
    vectors = engine.embed([open_image(content) for _, content in files])
    assert ids(drawn["hits"]) == best(engine, vectors.mean(0))


def test_file_over_the_limit_is_refused_before_it_is_read(monkeypatch):
    said = []
    monkeypatch.setattr(intake.st, "error", said.append)
    assert intake._usable("huge.png", SimpleNamespace(size=21 << 20)) is None
    assert "huge.png has 21 MB" in said[0]


def test_a_reduced_image_keeps_its_middle_square():
    strip = Image.new("RGB", (40_000, 2), "red")
    strip.paste("blue", (19_999, 0, 20_001, 2))
    kept = intake.reduced(strip)
    assert kept.size == (8192, 2)
    assert [kept.getpixel((x, 0)) for x in (4095, 4096)] == [(0, 0, 255)] * 2
    assert intake.reduced(Image.new("RGB", (4000, 3000))).size == (683, 512)
    assert intake.reduced(PHOTO) is PHOTO


def test_photograph_from_the_camera_asks(engine, drawn):
    app = opened("retrieval", how="camera")
    app.camera_input[0].set_value(("shot.jpg", FINE["plain.jpg"], "image/jpeg")).run()
    assert not app.exception and not app.error
    image = Image.open(io.BytesIO(FINE["plain.jpg"]))
    assert ids(drawn["hits"]) == best(engine, engine.embed([image])[0])


def test_a_collection_is_offered_searched_and_its_images_ask(finished, collection, drawn):
    app = opened("retrieval")
    assert "my-collection" in app.selectbox(key="collection").options
    app.selectbox(key="collection").set_value("my-collection").run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == "my-collection"
    engine = Searcher(RunDir(finished), collection=collection)
    query = RunDir(finished).retrieval().queries[0]
    assert ids(drawn["hits"]) == best(engine, query)
    assert all(tile.image is not None for tile in drawn["hits"])
    first = engine.search(query.astype(np.float32), top=1)[0]
    assert first.path in [code.value for code in app.code]  # to copy
    name = str(engine.stored.database_ids[4])
    opened("retrieval", collection=str(collection), query_id=name)
    assert ids(drawn["question"]) == [name]
    with Image.open(engine.search(query.astype(np.float32), top=12)[0].path) as image:
        assert image.size == (32, 32)


@pytest.mark.parametrize("typed", [False, True], ids=["link", "typed"])
def test_a_collection_is_found_by_its_folder_too_and_the_link_becomes_short(finished, collection, drawn, typed):
    app = opened("retrieval", **({} if typed else {"collection": str(collection)}))
    if typed:
        app.query_params["collection"] = str(collection)  # as the field does, whose new options AppTest cannot type
        app.run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == "my-collection"
    query = RunDir(finished).retrieval().queries[0]
    assert ids(drawn["hits"]) == best(Searcher(RunDir(finished), collection=collection), query)


def test_a_collection_elsewhere_keeps_its_folder_in_the_address(finished, collection, tmp_path, drawn):
    shutil.copytree(collection, tmp_path / "elsewhere")
    app = opened("retrieval", collection=str(tmp_path / "elsewhere"))
    assert "collection" not in app.query_params and len(drawn["hits"]) == 24  # a link is anybody's
    app.button(key="open linked").click().run()
    assert not app.exception and not app.error
    assert app.query_params["collection"] == str(tmp_path / "elsewhere")
    assert len(drawn["hits"]) == 12
    app.selectbox(key="collection").set_value("").run()
    assert "collection" not in app.query_params and len(drawn["hits"]) == 24


@pytest.mark.parametrize(
    ("key", "old", "new"),
    [("section", "Teach it", "teach"), ("section", "Three searches", "searches"), ("section", "Why this hit", None),
     ("how", "data set", None), ("how", "upload", "upload"), ("collection", "the run's own database", None),
     ("section", "nonsense", None), ("how", "nonsense", None)],
)  # fmt: skip
def test_old_links_open_the_page_and_become_short(finished, key, old, new):
    app = opened("retrieval", **{key: old})
    assert not app.error
    assert app.query_params.get(key) == new


def test_a_hit_asks_though_an_upload_asked_before(finished, engine, drawn):
    app = opened("retrieval", how="upload")
    app.file_uploader[0].set_value([("plain.jpg", FINE["plain.jpg"], "image/jpeg")]).run()
    app.query_params.pop("how")  # as `ask` does
    app.query_params["query_id"] = drawn["hits"][2].id
    app.run()
    assert not app.exception and "query_id" in app.query_params
    assert app.segmented_control(key="how").value == "set"
    assert ids(drawn["question"]) == [app.query_params["query_id"]]


def test_a_folder_that_is_no_collection_is_refused_in_a_sentence(finished, tmp_path):
    app = opened("retrieval", collection=str(tmp_path))
    assert "is no collection" not in words(app)  # nobody has looked
    app.button(key="open linked").click().run()
    assert "is no collection" in words(app)


def test_a_collections_image_that_is_gone_leaves_its_name(finished, collection, tmp_path, drawn):
    shutil.rmtree(tmp_path / "mine")
    app = opened("retrieval", collection=str(collection))
    assert not app.error
    assert {tile.image for tile in drawn["hits"]} == {None}


def test_means_over_a_handful_of_queries_are_called_rough(finished):
    assert "of 40 queries only" in words(opened("retrieval", section="quality"))
    metrics = json.loads((finished / "metrics.json").read_text())
    (finished / "metrics.json").write_text(json.dumps(metrics | {"n_queries": 100}))
    assert "queries only" not in words(opened("retrieval", section="quality"))


def test_an_image_of_the_database_comes_first_among_hits_of_its_code(finished, drawn):
    stored = RunDir(finished).retrieval()
    stored.codes[[3, 50, 120]] = stored.codes[120]
    stored.save(finished / "retrieval.npz")
    three, fifty, itself = (str(stored.database_ids[row]) for row in (3, 50, 120))
    app = opened("retrieval", query_id=itself)
    found = [tile.id for tile in drawn["hits"] if tile.id in (three, fifty, itself)]
    assert found == [itself, three, fifty]
    assert "have the same code" in words(app) or "share their code" in words(app)


@pytest.fixture
def other_run(finished, transformer_run):
    """A second run, under the name of `other`."""
    shutil.copytree(transformer_run, finished.parent / "other")
    return finished.parent / "other"


def test_a_collection_of_another_run_offers_that_run_and_keeps_the_query(collection, other_run, drawn):
    drawn.clear()
    app = opened("retrieval", run="other", collection="my-collection")
    assert not app.error and "hits" not in drawn
    assert ids(drawn["question"]) == [str(RunDir(other_run).retrieval().query_ids[0])]
    app.button(key="switch run").click().run()
    assert not app.error and app.selectbox(key="run").value == "tiny"
    assert len(drawn["hits"]) == 12 and app.query_params["collection"] == "my-collection"


def test_a_collection_whose_run_is_gone_says_so_and_leads_back(finished, collection, other_run, drawn):
    shutil.rmtree(finished)
    app = opened("retrieval", collection="my-collection")
    assert not app.error and not [button for button in app.button if button.key == "switch run"]
    app.button(key="search own").click().run()
    assert "collection" not in app.query_params and drawn["hits"]


def test_a_query_stays_beside_an_error(finished, tmp_path, drawn):
    app = opened("retrieval", collection=str(tmp_path)).button(key="open linked").click().run()
    assert len(app.error) == 1 and len(drawn["question"]) == 1
    app.button(key="search own").click().run()
    assert not app.error and len(drawn["hits"]) == 24


def uploaded(side):
    buffer = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(buffer, "JPEG")
    app = opened("retrieval", how="upload", run="tiny")
    return app.file_uploader[0].set_value([("mine.jpg", buffer.getvalue(), "image/jpeg")]).run()


@pytest.mark.parametrize(("side", "offered"), [(32, False), (95, False), (96, True), (600, True)])
def test_a_photograph_is_offered_the_run_for_photographs(finished, drawn, monkeypatch, side, offered):
    from transclipped.ui import runs
    from transclipped.utils.files import ASSETS

    monkeypatch.setattr(runs, "BUNDLED", ASSETS / "runs")
    app = uploaded(side)
    assert ("hybrid-caltech101-32-clipped" in "".join(m.value.replace("\\", "") for m in app.markdown)) == offered
    assert bool([button for button in app.button if button.key == "for photographs"]) == offered


def test_switching_to_the_run_for_photographs_keeps_the_upload(finished, drawn, monkeypatch):
    from transclipped.ui import runs
    from transclipped.utils.files import ASSETS

    monkeypatch.setattr(runs, "BUNDLED", ASSETS / "runs")
    app = uploaded(300)
    before = ids(drawn["question"])
    app.button(key="for photographs").click().run()
    assert not app.error and app.selectbox(key="run").value == "hybrid-caltech101-32-clipped"
    assert ids(drawn["question"]) == before and len(drawn["hits"]) == 24
    assert not [button for button in app.button if button.key == "for photographs"]


def test_collections_are_listed_with_their_run(finished, collection):
    app = opened("retrieval")
    listed = next(frame.value for frame in app.dataframe if "collection" in frame.value)
    assert listed[["collection", "run", "images"]].values.tolist() == [["my-collection", "tiny", 12]]


def test_a_collection_of_other_classes_is_not_judged_by_those_of_the_query(finished, collection, drawn):
    app = opened("retrieval", collection="my-collection")  # cars and cats, unlike CIFAR-10's automobile and cat
    assert len(drawn["hits"]) == 12 and {tile.relevant for tile in drawn["hits"]} == {None}
    assert "share a class" not in words(app)
    opened("retrieval", collection="my-collection", query_id=drawn["hits"][0].id)
    assert {tile.relevant for tile in drawn["hits"]} == {True, False}
