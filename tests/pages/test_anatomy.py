"""The Anatomy page shows the library's numbers for one image, for any network, with and without labels."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.pages.conftest import arrived, opened, words
from transclipped.analysis import anatomy, hashes
from transclipped.datasets.images.decode import to_png
from transclipped.errors import InputError
from transclipped.retrieval.coding.product import decode
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search.searcher import Searcher
from transclipped.ui import reasons
from transclipped.ui.anatomy import cached as anatomy_cached
from transclipped.ui.anatomy.html import SAID, STEPS

TITLES = [f"{i} · {title}" for i, title in enumerate(STEPS, 1)]


def html(app) -> str:
    return "\n".join(element.proto.body for element in app.get("html"))


def titles(app) -> list[str]:
    return [s.value for s in app.header]


def code_bytes(app) -> list[int]:
    return [int(byte, 16) for byte in re.findall(r'class="an-hex">(\w+)<', html(app))]


def upload(app, content: bytes):
    return app.file_uploader[0].set_value(("mine.png", content, "image/png")).run()


@pytest.fixture
def no_other_codes():
    """No code of bits or trees stays from other tests, or for them."""
    anatomy_cached.other_code.clear()
    yield
    anatomy_cached.other_code.clear()


@pytest.fixture
def stored(finished) -> Retrieval:
    return RunDir(finished).retrieval()


def test_all_steps_are_shown_at_first(finished):
    app = opened("anatomy")
    assert not app.error and not app.warning
    assert titles(app) == TITLES


def test_buttons_go_through_the_steps(finished):
    app = opened("anatomy", step="3")
    assert titles(app) == TITLES[:3]
    app.button(key="walk-next").click().run()
    assert titles(app) == TITLES[:4]
    app.button(key="walk-back").click().run()
    assert titles(app) == TITLES[:3]
    next(button for button in app.button if button.label == "From the start").click().run()
    assert titles(app) == TITLES[:1]
    assert app.button(key="walk-back").disabled


def test_a_lesson_begins_with_the_first_step(finished):
    assert titles(opened("anatomy", lesson="1")) == TITLES[:1]
    assert titles(opened("anatomy", projector="true")) == TITLES[:1]
    assert titles(opened("anatomy", lesson="1", step="5")) == TITLES[:5]


def test_bytes_are_the_code_of_the_selected_query(finished, stored):
    app = opened("anatomy", query="7")
    code = anatomy.code_of(stored.queries[7].astype(np.float32).reshape(4, -1), stored.codebooks)
    assert code_bytes(app) == code.tolist()


def test_sum_of_the_terms_is_the_score_that_search_returns(finished):
    searcher = Searcher(RunDir(finished))
    for rank in (1, 150):
        app = opened("anatomy", query="5", hit=str(rank))
        hit = searcher.search(searcher.stored.queries[5].astype(np.float32), top=rank)[-1]
        terms = re.findall(r"<b>(-?[\d.]+)</b>", html(app).split('an-sum">')[1])
        assert terms == [f"{part:.3f}" for part in hit.by_codebook] + [f"{hit.score:.3f}"]
        assert f"**{hit.score:.3f}**" in words(app)


def test_an_id_in_the_address_selects_the_image(finished, stored):
    app = opened("anatomy", query_id=str(stored.query_ids[11]))
    assert app.number_input(key="query").value == 11
    app = opened("anatomy", query_id="nonsense")
    assert "**nonsense**" in words(app)
    assert not app.error


def test_any_database_image_can_be_followed_by_number_or_id(finished, stored):
    app = opened("anatomy", follow="database", item="123")
    assert not app.error and not app.warning and titles(app) == TITLES
    assert code_bytes(app) == stored.codes[123].tolist()
    assert RunDir(finished).record["class_names"][stored.database_labels[123]] in words(app)
    app = opened("anatomy", query_id=str(stored.database_ids[77]))
    assert app.segmented_control(key="follow").value == "database"
    assert app.number_input(key="item").value == 77
    app.button(key="another").click().run()
    assert not app.exception and 0 <= app.number_input(key="item").value < 200


def test_a_number_beyond_the_database_opens_the_first_image(finished):
    app = opened("anatomy", follow="database", item="4000")
    assert not app.error and app.number_input(key="item").value == 0


def test_an_uploaded_image_is_embedded_as_on_retrieval(finished):
    searcher, image = Searcher(RunDir(finished)), Image.effect_noise((90, 60), 80).convert("RGB")
    app = opened("anatomy", follow="upload")
    assert app.info and not titles(app)
    upload(app, to_png(image))
    assert not app.exception and not app.error and titles(app) == TITLES
    assert "mine.png" in words(app) and "32 × 32 pixels" in words(app)
    unit = searcher.embed([image])[0]
    assert code_bytes(app) == anatomy.code_of(unit.reshape(4, -1), searcher.stored.codebooks).tolist()
    score = float(re.search(r"returns \*\*(-?[\d.]+)\*\*", words(app))[1])
    assert score == round(searcher.search(unit, top=1)[0].score, 3)


def test_an_upload_that_is_no_image_gives_an_error(finished):
    app = upload(opened("anatomy", follow="upload"), b"no image at all")
    assert not app.exception and "mine.png" in app.error[0].value and not titles(app)


def test_without_the_network_database_images_have_codes_and_uploads_have_none(finished, stored):
    (finished / "model.safetensors").unlink()
    app = opened("anatomy", follow="database", item="5")
    assert code_bytes(app) == stored.codes[5].tolist()
    app = upload(opened("anatomy", follow="upload"), to_png(Image.new("RGB", (40, 40))))
    assert app.info and not code_bytes(app) and not app.exception


def test_another_image_is_a_stored_query(finished):
    app = opened("anatomy")
    app.button(key="another").click().run()
    assert not app.exception
    assert 0 <= app.number_input(key="query").value < 40


def test_sharper_assignment_leaves_less_for_other_codewords(finished):
    app = opened("anatomy")
    rest = []
    for alpha in (1.0, 100.0):
        app.slider(key="alpha").set_value(alpha).run()
        rest.append([int(share) for share in re.findall(r"252: (\d+)%", html(app))])
    assert len(rest[0]) == 4
    assert all(sharp < soft for soft, sharp in zip(*rest, strict=True))


def test_a_network_without_attention_shows_its_feature_map(finished):
    text = words(opened("anatomy"))
    assert "**1 × 1 positions**" in text and "no attention" in text


def test_layers_and_heads_of_a_transformer_can_be_selected(home, transformer_run):
    shutil.copytree(transformer_run, home / "transformer")
    app = opened("anatomy")
    assert not app.error and not app.warning
    assert "**4 × 4 places**" in words(app) and "no attention" not in words(app)
    assert app.segmented_control(key="head").disabled
    app.segmented_control(key="layer").set_value("2").run()
    app.segmented_control(key="head").set_value("3").run()
    assert not app.exception and not app.error
    app = opened("anatomy", layer="9", head="9", token="99")
    assert not app.error and app.segmented_control(key="layer").value == "all"


def test_a_run_without_labels_shows_all_steps(finished, stored):
    Retrieval(**vars(stored) | {"database_labels": None, "query_labels": None}).save(finished / "retrieval.npz")
    app = opened("anatomy")
    assert not app.error and titles(app) == TITLES
    assert "label" not in words(app)


def test_steps_two_and_three_are_omitted_without_the_network(finished):
    (finished / "model.safetensors").unlink()
    app = opened("anatomy")
    assert app.warning and titles(app) == TITLES[:1] + TITLES[3:]


@pytest.mark.parametrize("name", ["udh", "itq", "trees"])
def test_the_same_hit_is_explained_by_bits_or_trees(finished, stored, name):
    app = opened("anatomy", query="5", hit="7", code_by=name)
    assert not app.error and not app.warning and titles(app) == TITLES
    unit = stored.queries[5].astype(np.float32)
    row = Searcher(RunDir(finished)).search(unit, top=7)[-1].row
    items = decode(stored.codebooks, stored.codes)  # all of them, since there are 200
    code = hashes.fit_code(name, items, **({} if name == "trees" else {"bits": 32}))
    facts = code.why(unit, items[row])
    assert reasons.sentence(facts) in words(app)
    if name == "trees":
        lines = re.findall(r"<tr class=\"[^\"]*\">(?:<td>(\d+)</td>)(?:<td>(\d+)</td>)(?:<td>(\d+)</td>)", html(app))
        assert [int(leaf) for _, leaf, _ in lines] == facts.query.tolist()
        assert [int(leaf) for _, _, leaf in lines] == facts.item.tolist()
        app.number_input(key="why_tree").set_value(9).run()
        assert f"Tree 9: the query reaches leaf {facts.query[8]}, the hit leaf {facts.item[8]}." in html(app)
    else:
        cells = re.findall(r'class="(equal|differ)" title="[^"]*"><b>(\d)</b><b>(\d)</b>', html(app))
        assert [kind == "equal" for kind, _, _ in cells] == facts.equal.tolist()
        assert [(int(a), int(b)) for _, a, b in cells] == list(zip(facts.query, facts.item, strict=True))
    assert 'class="an-sum"' not in html(app)
    app.segmented_control(key="code_by").set_value("product").run()
    assert not app.exception and 'class="an-sum"' in html(app) and "why-" not in html(app)


@pytest.mark.parametrize("name", ["product", "udh", "trees"])
def test_the_sentence_to_say_is_about_the_code_that_is_chosen(finished, said, name):
    app = arrived("anatomy", lesson="1", step="7", code_by=name)
    assert not app.error and len(said) == 1 and said[0] in words(app)
    assert (said[0] == SAID[-1]) == (name == "product")
    assert {"product": "look up", "udh": "bits", "trees": "trees"}[name] in said[0]


def test_the_last_step_keeps_its_title_if_its_code_fails(finished, monkeypatch):
    def fails(*_, **__):
        raise InputError("no code")

    monkeypatch.setattr(Searcher, "search", fails)
    app = opened("anatomy")
    assert titles(app) == TITLES and "no code" in app.error[0].value


def test_another_code_is_fitted_only_when_it_is_chosen(finished, monkeypatch, no_other_codes):
    fits = []
    monkeypatch.setattr(hashes, "fit_code", lambda *_, **__: fits.append(1))
    app = opened("anatomy")
    assert not app.error and not fits
    app = opened("anatomy", code_by="udh", step="6")
    assert not app.error and not fits
