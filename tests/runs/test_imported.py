"""An upload decides nothing that this machine opens or fetches."""

import io
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from transclipped.config import BackboneConfig, DataConfig, RunConfig
from transclipped.errors import InputError
from transclipped.runs import imported, manage
from transclipped.runs.run import RunDir
from transclipped.runs.session import prepare_run, trained_model
from transclipped.training.train import run_training

HUB = "vit_tiny_patch16_224.augreg_in21k"


@pytest.fixture
def sealed(monkeypatch) -> list[str]:
    """Paths opened and hubs asked by loading a backbone, instead of doing so."""
    from transclipped.models import backbone

    asked = []

    def created(name, *, size=None, pretrained=False):
        asked.append(f"hub {name}" if pretrained else name)
        raise InputError("stopped here")

    def loaded(path):
        asked.append(str(path))
        raise InputError("stopped here")

    monkeypatch.setattr(backbone, "check_weights", lambda name: True)
    monkeypatch.setattr(backbone, "_created", created)
    monkeypatch.setattr(backbone, "load_tensors", loaded)
    return asked


def taken_in(tiny_run: Path, home: Path, *, data: dict | None = None, backbone: dict | None = None) -> RunDir:
    """The tiny run, uploaded with other settings."""
    source = home.parent / "source"
    shutil.copytree(tiny_run, source)
    record = json.loads((source / "config.json").read_text())
    record["data"] |= data or {}
    record["backbone"] |= backbone or {}
    (source / "config.json").write_text(json.dumps(record))
    file = io.BytesIO()
    manage.pack(RunDir(source), file)
    return manage.unpack(file, home, name="tiny")


def test_no_path_of_an_upload_stays_and_each_is_asked_for(tiny_run, tmp_path):
    paths = {"data": "/srv/private", "labels": "/etc/passwd", "split": "/etc/shadow"}
    run = taken_in(tiny_run, tmp_path / "home", data=paths, backbone={"weights": "/root/weights.pth"})
    assert imported.is_imported(run)
    assert imported.missing(run) == ["data.data", "data.labels", "data.split", "backbone.weights"]
    text = "".join((run.path / name).read_text() for name in ("config.json", imported.FILE, "status.json"))
    assert not any(path in text for path in [*paths.values(), "/root/weights.pth"])
    before = RunDir(tiny_run).config
    assert run.config == before  # the tiny run itself names none


def test_a_run_that_names_nothing_is_complete_and_made_here_runs_are_not_imported(tiny_run, tmp_path):
    run = taken_in(tiny_run, tmp_path / "home")
    assert imported.is_imported(run) and imported.missing(run) == []
    imported.check_complete(run)
    assert not imported.is_imported(RunDir(tiny_run)) and imported.missing(RunDir(tiny_run)) == []


@pytest.mark.parametrize(
    ("backbone", "allowed"),
    [
        ({"name": HUB}, f"hub {HUB}"),
        ({"name": HUB, "weights": "/any/file.pth"}, f"hub {HUB}"),
        ({"weights": "/any/file.pth"}, "tf_efficientnet_lite0"),
    ],
)
def test_no_weights_are_opened_or_fetched_before_the_owner_says_so(tiny_run, tmp_path, sealed, backbone, allowed):
    run = taken_in(tiny_run, tmp_path / "home", backbone=backbone)
    assert imported.missing(run) == ["backbone.weights"]
    for use in (
        lambda: trained_model(run),
        lambda: prepare_run(run),
        lambda: imported.check_complete(run),
        lambda: list(run_training(run.config, run.path, resume=True)),
    ):
        with pytest.raises(InputError, match="was imported"):
            use()
    assert sealed == []
    with pytest.raises(InputError, match="stopped here"):
        trained_model(imported.give(run, {"backbone.weights": None}))
    assert sealed[0] == allowed


def test_the_owners_file_is_used_and_the_rest_stays_to_be_given(tiny_run, tmp_path, sealed):
    run = taken_in(
        tiny_run, tmp_path / "home", data={"labels": "/x"}, backbone={"name": HUB, "weights": "/any/file.pth"}
    )
    before = run.fingerprint
    run = imported.give(run, {"backbone.weights": "/mine.safetensors"})
    assert imported.missing(run) == ["data.labels"] and run.config.backbone.weights == "/mine.safetensors"
    assert run.fingerprint != before  # what was cached of it is read again
    assert "/mine.safetensors" in run.record["command"]
    with pytest.raises(InputError, match="lacks no backbone"):
        imported.give(run, {"backbone.weights": "/other"})
    imported.check_backbone(run)
    with pytest.raises(InputError, match=r"data\.labels"):
        imported.check_complete(run)
    imported.check_complete(imported.give(run, {"data.labels": None}))


def test_a_plugin_never_survives():
    config, missing = imported.without_sources(
        replace(RunConfig(data=DataConfig(dataset="folder", data="/d")), plugin="/evil.py")
    )
    assert config.plugin is None and config.data.data is None and missing == ["data.data"]
    assert config.data.dataset == "folder"


@pytest.mark.parametrize("name", ["hybrid-vit", "efficientnet-lite0", "auto"])
def test_bundled_backbones_need_nothing(name):
    assert imported.without_sources(RunConfig(backbone=BackboneConfig(name=name)))[1] == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"missing": "data.data"}', '{"missing": ["status"]}', "\xff"])
def test_a_damaged_note_allows_nothing(tiny_run, tmp_path, content):
    run = taken_in(tiny_run, tmp_path / "home")
    (run.path / imported.FILE).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"imported\.json"):
        imported.check_backbone(run)


def test_a_zip_cannot_bring_the_note(tiny_run, tmp_path):
    file = io.BytesIO()
    manage.pack(RunDir(tiny_run), file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"tiny/{imported.FILE}", "{}")
    with pytest.raises(InputError, match="no part of a run"):
        manage.unpack(file, tmp_path, name="tiny")


@pytest.mark.parametrize(
    ("bound", "value"), [("MOST_RUNS", 1), ("MOST_BYTES", 1000), ("LEAST_FREE", 10**18)], ids=["runs", "bytes", "disk"]
)
def test_imports_are_bounded_and_leave_nothing(tiny_run, tmp_path, monkeypatch, bound, value):
    home = tmp_path / "home"
    taken_in(tiny_run, home)
    file = io.BytesIO()
    manage.pack(RunDir(tiny_run), file)
    monkeypatch.setattr(imported, bound, value)
    with pytest.raises(InputError):
        manage.unpack(file, home, name="tiny")
    assert [path.name for path in home.glob("*/config.json")] == ["config.json"]
    assert not list((home / ".incoming").iterdir())
    shutil.rmtree(home / "tiny")
    if bound != "LEAST_FREE":
        manage.unpack(file, home, name="tiny")
