"""The Anatomy page shows the library's numbers for one image, step by step, for any network and without labels."""

import re
import shutil

import numpy as np
from PIL import Image

from tests.pages.conftest import opened, words
from transclipped.analysis import anatomy
from transclipped.datasets.images.decode import to_png
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher

TITLES = ("Patches", "Attention", "Embedding", "Sub-vectors", "Codewords", "Bytes", "Score")


def html(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def titles(app) -> list[str]:
    return [s.value for s in app.subheader]


def test_first_look_tells_the_whole_story(finished):
    app = opened("anatomy")
    assert not app.error and not app.warning
    assert titles(app) == [f"{i} · {title}" for i, title in enumerate(TITLES, 1)]


def test_steps_are_told_one_by_one(finished):
    app = opened("anatomy", step="3")
    assert titles(app) == ["1 · Patches", "2 · Attention", "3 · Embedding"]
    app.button(key="walk-next").click().run()
    assert titles(app)[-1] == "4 · Sub-vectors"
    app.button(key="walk-back").click().run()
    assert titles(app)[-1] == "3 · Embedding"
    next(button for button in app.button if button.label == "From the start").click().run()
    assert titles(app) == ["1 · Patches"]
    assert app.button(key="walk-back").disabled


def test_a_lesson_begins_with_the_first_step(finished):
    assert titles(opened("anatomy", lesson="1")) == ["1 · Patches"]
    assert len(titles(opened("anatomy", lesson="1", step="5"))) == 5


def test_bytes_are_the_code_of_the_chosen_query(finished):
    stored = RunDir(finished).retrieval()
    app = opened("anatomy", query="7")
    code = anatomy.code_of(stored.queries[7].astype(np.float32).reshape(4, -1), stored.codebooks)
    assert re.findall(r'class="an-hex">(\w+)<', html(app)) == [f"{number:02X}" for number in code.tolist()]


def test_sum_of_the_tables_is_the_score_that_search_returns(finished):
    engine = Searcher(RunDir(finished))
    for rank in (1, 150):
        app = opened("anatomy", query="5", hit=str(rank))
        hit = engine.search(engine.stored.queries[5].astype(np.float32), top=rank)[-1]
        terms = re.findall(r"<b>(-?[\d.]+)</b>", html(app).split('an-sum">')[1])
        assert terms == [f"{part:.3f}" for part in hit.by_codebook] + [f"{hit.score:.3f}"]
        assert f"Search returns **{hit.score:.3f}**" in words(app)


def test_an_id_in_the_address_names_the_image(finished):
    stored = RunDir(finished).retrieval()
    app = opened("anatomy", query_id=str(stored.query_ids[11]))
    assert app.number_input(key="query").value == 11
    app = opened("anatomy", query_id="nobody")
    assert "**nobody**" in words(app)
    assert not app.error


def test_any_image_of_the_database_can_be_followed_by_number_or_id(finished):
    engine = Searcher(RunDir(finished))
    stored = engine.stored
    app = opened("anatomy", follow="database", item="123")
    assert not app.error and not app.warning and len(titles(app)) == 7
    assert re.findall(r'class="an-hex">(\w+)<', html(app)) == [f"{number:02X}" for number in stored.codes[123].tolist()]
    label = RunDir(finished).record["class_names"][stored.database_labels[123]]
    assert f"Its label is {label}" in words(app)
    app = opened("anatomy", query_id=str(stored.database_ids[77]))
    assert app.segmented_control(key="follow").value == "database"
    assert app.number_input(key="item").value == 77
    next(button for button in app.button if button.label == "Another one").click().run()
    assert not app.exception and 0 <= app.number_input(key="item").value < 200


def test_a_number_beyond_the_database_is_the_first(finished):
    app = opened("anatomy", follow="database", item="4000")
    assert not app.error and app.number_input(key="item").value == 0


def test_an_own_image_is_followed_as_retrieval_embeds_it(finished):
    engine, image = Searcher(RunDir(finished)), Image.effect_noise((90, 60), 80).convert("RGB")
    app = opened("anatomy", follow="upload")
    assert "Choose an image" in words(app) and not titles(app)
    app.file_uploader[0].set_value(("mine.png", to_png(image), "image/png")).run()
    assert not app.exception and not app.error and len(titles(app)) == 7
    assert "mine.png, your image" in words(app) and "reduced to 32 × 32 pixels" in words(app)
    unit = engine.embed([image])[0]
    code = anatomy.code_of(unit.reshape(4, -1), engine.stored.codebooks)
    assert re.findall(r'class="an-hex">(\w+)<', html(app)) == [f"{number:02X}" for number in code.tolist()]
    hit = engine.search(unit, top=1)[0]
    said = float(re.search(r"Search returns \*\*(-?[\d.]+)\*\*", words(app))[1])
    assert said == round(hit.score, 3)


def test_an_own_file_that_is_no_image_ends_in_a_sentence(finished):
    app = opened("anatomy", follow="upload")
    app.file_uploader[0].set_value(("mine.png", b"no image at all", "image/png")).run()
    assert not app.exception and "mine.png" in app.error[0].value and not titles(app)


def test_without_the_network_an_own_image_has_no_code_but_the_database_has(finished):
    (finished / "model.safetensors").unlink()
    app = opened("anatomy", follow="database", item="5")
    stored = RunDir(finished).retrieval()
    assert re.findall(r'class="an-hex">(\w+)<', html(app)) == [f"{number:02X}" for number in stored.codes[5].tolist()]
    app = opened("anatomy", follow="upload")
    app.file_uploader[0].set_value(("mine.png", to_png(Image.new("RGB", (40, 40))), "image/png")).run()
    assert "has no code" in words(app) and not app.exception


def test_another_image_is_one_of_the_stored_queries(finished):
    app = opened("anatomy")
    next(button for button in app.button if button.label == "Another one").click().run()
    assert not app.exception
    assert 0 <= app.number_input(key="query").value < 40


def test_sharper_assignment_leaves_less_for_the_others(finished):
    app = opened("anatomy")
    rest = []
    for alpha in (1.0, 100.0):
        app.slider(key="alpha").set_value(alpha).run()
        rest.append([int(share) for share in re.findall(r"the other 252: (\d+)% together", html(app))])
    assert len(rest[0]) == 4
    assert all(sharp < soft for soft, sharp in zip(*rest, strict=True))


def test_network_without_attention_says_so(finished):
    said = words(opened("anatomy"))
    assert "a map of **1 × 1 places**" in said and "This network has no attention" in said


def test_layers_and_heads_of_a_transformer_can_be_chosen(home, transformer_run):
    shutil.copytree(transformer_run, home / "transformer")
    app = opened("anatomy")
    assert not app.error and not app.warning
    assert "4 × 4 = 16 tokens" in words(app) and "no attention" not in words(app)
    assert app.segmented_control(key="head").disabled
    app.segmented_control(key="layer").set_value("2").run()
    app.segmented_control(key="head").set_value("3").run()
    assert not app.exception and not app.error
    app = opened("anatomy", layer="9", head="9", token="99")
    assert not app.error and app.segmented_control(key="layer").value == "all"


def test_run_without_labels_is_followed_too(finished):
    stored = RunDir(finished).retrieval()
    Retrieval(**vars(stored) | {"database_labels": None, "query_labels": None}).save(finished / "retrieval.npz")
    app = opened("anatomy")
    assert not app.error and len(titles(app)) == 7
    assert "label" not in words(app)


def test_story_goes_on_where_the_network_cannot_be_loaded(finished):
    (finished / "model.safetensors").unlink()
    app = opened("anatomy")
    assert "steps 2 and 3 are left out" in words(app)
    assert [title[0] for title in titles(app)] == ["1", "4", "5", "6", "7"]
