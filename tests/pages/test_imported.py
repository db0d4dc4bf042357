"""An imported run on a page: nothing that it names is used until its owner gives it in the form."""

import io
import json

import pytest

from tests.pages.conftest import opened, words
from transclipped.runs import imported, manage
from transclipped.runs.run import RunDir

HUB = "vit_tiny_patch16_224.augreg_in21k"


@pytest.fixture
def taken_in(finished, monkeypatch) -> RunDir:
    """An upload of the run in `finished` that names a network of the hub and a folder of this machine."""
    record = json.loads((finished / "config.json").read_text())
    record["backbone"]["name"] = HUB
    record["data"] |= {"dataset": "folder", "data": str(finished.parent), "protocol": None}
    (finished / "config.json").write_text(json.dumps(record))
    file = io.BytesIO()
    manage.pack(RunDir(finished), file)
    return manage.unpack(file, finished.parent, name="theirs")


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Networks whose weights a page wanted to fetch."""
    from transclipped.models import backbone

    names = []

    def created(name, *, size=None, pretrained=False):
        names.append(name)
        raise OSError("no network in tests")

    monkeypatch.setattr(backbone, "_created", created)
    return names


@pytest.mark.parametrize("page", ["overview", "anatomy", "clipping", "codebooks", "embeddings", "retrieval", "train"])
def test_no_page_uses_what_an_upload_names(taken_in, asked, page):
    app = opened(page, run="theirs")
    assert app.session_state["run"] == "theirs" and not asked
    assert {"imported data.data", "imported backbone.weights"} <= {box.key for box in app.text_input}


def test_what_the_owner_gives_is_kept_and_the_form_ends(taken_in, asked, tmp_path):
    app = opened("overview", run="theirs")
    app.text_input(key="imported data.data").set_value(str(tmp_path / "mine"))
    app.button(key="imported use").click().run()
    assert imported.missing(taken_in) == ["backbone.weights"]
    assert RunDir(taken_in.path).config.data.data == str(tmp_path / "mine")
    app.checkbox(key="imported own weights").set_value(True)
    app.button(key="imported use").click().run()
    assert imported.missing(taken_in) == [] and "imported use" not in {b.key for b in app.button}
    assert RunDir(taken_in.path).config.backbone.weights is None


def test_an_empty_form_and_a_device_are_refused_in_a_sentence(taken_in):
    app = opened("overview", run="theirs")
    app.button(key="imported use").click().run()
    assert "nothing was given" in words(app)
    app.text_input(key="imported backbone.weights").set_value("/dev/zero")
    app.button(key="imported use").click().run()
    assert "neither a folder nor a regular file" in words(app)
    assert imported.missing(taken_in) == ["data.data", "backbone.weights"]


def test_a_visitor_sees_the_form_and_cannot_use_it(taken_in, opened_up):
    app = opened("overview", run="theirs")
    assert app.button(key="imported use").disabled
    app.button(key="imported use").proto.disabled = False
    app.button(key="imported use").click().run()
    assert "Only the owner" in words(app)
