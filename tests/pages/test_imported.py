"""An imported run on a page: nothing that it names is used until the owner confirms it in the form."""

import io
import json
from unittest.mock import Mock

import pytest

from tests.pages.conftest import opened, words
from transclipped.runs import imported, manage
from transclipped.runs.run import RunDir

HUB = "vit_tiny_patch16_224.augreg_in21k"


@pytest.fixture
def upload(finished, monkeypatch) -> RunDir:
    """An imported run that names a network of the hub and a folder of this machine."""
    record = json.loads((finished / "config.json").read_text())
    record["backbone"]["name"] = HUB
    record["data"] |= {"dataset": "folder", "data": str(finished.parent), "protocol": None}
    (finished / "config.json").write_text(json.dumps(record))
    file = io.BytesIO()
    manage.pack(RunDir(finished), file)
    return manage.unpack(file, finished.parent, name="theirs")


@pytest.fixture
def download(monkeypatch) -> Mock:
    """What loads a network with weights from the hub; it fails."""
    from transclipped.models import backbone

    created = Mock(side_effect=OSError("no network in tests"))
    monkeypatch.setattr(backbone, "_created", created)
    return created


@pytest.mark.parametrize("page", ["overview", "anatomy", "clipping", "codebooks", "embeddings", "retrieval", "train"])
def test_no_page_uses_what_an_upload_names(upload, download, page):
    app = opened(page, run="theirs")
    assert app.session_state["run"] == "theirs" and not download.called
    assert {"imported data.data", "imported backbone.weights"} <= {box.key for box in app.text_input}


def test_paths_from_the_owner_are_stored_and_the_form_disappears(upload, download, tmp_path):
    app = opened("overview", run="theirs")
    app.text_input(key="imported data.data").set_value(str(tmp_path / "mine"))
    app.button(key="imported use").click().run()
    assert imported.missing(upload) == ["backbone.weights"]
    assert RunDir(upload.path).config.data.data == str(tmp_path / "mine")
    app.checkbox(key="imported own weights").set_value(True)
    app.button(key="imported use").click().run()
    assert imported.missing(upload) == [] and "imported use" not in {b.key for b in app.button}
    assert RunDir(upload.path).config.backbone.weights is None


def test_an_empty_form_and_a_device_are_refused(upload):
    app = opened("overview", run="theirs")
    app.button(key="imported use").click().run()
    assert "nothing" in words(app)
    app.text_input(key="imported backbone.weights").set_value("/dev/zero")
    app.button(key="imported use").click().run()
    assert "neither a folder nor a regular file" in words(app)
    assert imported.missing(upload) == ["data.data", "backbone.weights"]


def test_a_visitor_sees_the_form_and_cannot_use_it(upload, opened_up):
    app = opened("overview", run="theirs")
    assert app.button(key="imported use").disabled
    app.button(key="imported use").proto.disabled = False
    app.button(key="imported use").click().run()
    assert "Only the owner" in words(app)
