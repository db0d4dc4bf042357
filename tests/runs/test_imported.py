"""An upload opens and downloads nothing on this machine."""

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
    """Records which paths and hubs loading a backbone would open, and stops it."""
    from transclipped.models import backbone

    opened = []

    def create(name, *, size=None, pretrained=False):
        opened.append(f"hub {name}" if pretrained else name)
        raise InputError("stopped here")

    def load(path):
        opened.append(str(path))
        raise InputError("stopped here")

    monkeypatch.setattr(backbone, "check_weights", lambda name: True)
    monkeypatch.setattr(backbone, "_created", create)
    monkeypatch.setattr(backbone, "load_tensors", load)
    return opened


def uploaded_run(tiny_run: Path, home: Path, *, data: dict | None = None, backbone: dict | None = None) -> RunDir:
    """The tiny run, uploaded with other settings."""
    source = home.parent / "source"
    shutil.copytree(tiny_run, source)
    record = json.loads((source / "config.json").read_text())
    record["data"] |= data or {}
    record["backbone"] |= backbone or {}
    (source / "config.json").write_text(json.dumps(record))
    return manage.unpack(zip_of(source), home, name="tiny")


def zip_of(run: Path) -> io.BytesIO:
    file = io.BytesIO()
    manage.pack(RunDir(run), file)
    return file


def test_no_path_of_an_upload_remains_and_each_is_missing(tiny_run, tmp_path):
    paths = {"data": "/srv/private", "labels": "/etc/passwd", "split": "/etc/shadow"}
    run = uploaded_run(tiny_run, tmp_path / "home", data=paths, backbone={"weights": "/root/weights.pth"})
    assert imported.is_imported(run)
    assert imported.missing(run) == ["data.data", "data.labels", "data.split", "backbone.weights"]
    text = "".join((run.path / name).read_text() for name in ("config.json", imported.FILE, "status.json"))
    assert not any(path in text for path in [*paths.values(), "/root/weights.pth"])
    before = RunDir(tiny_run).config
    assert run.config == before  # the tiny run has no paths


def test_a_run_without_paths_is_complete_and_local_runs_are_not_imported(tiny_run, tmp_path):
    run = uploaded_run(tiny_run, tmp_path / "home")
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
def test_no_weights_are_opened_or_downloaded_before_the_owner_agrees(tiny_run, tmp_path, sealed, backbone, allowed):
    run = uploaded_run(tiny_run, tmp_path / "home", backbone=backbone)
    assert imported.missing(run) == ["backbone.weights"]
    resume = lambda run: list(run_training(run.config, run.path, resume=True))  # noqa: E731
    for use in (trained_model, prepare_run, imported.check_complete, resume):
        with pytest.raises(InputError, match="was imported"):
            use(run)
    assert sealed == []
    with pytest.raises(InputError, match="stopped here"):
        trained_model(imported.give(run, {"backbone.weights": None}))
    assert sealed[0] == allowed


def test_the_owners_file_is_used_and_the_rest_remains_missing(tiny_run, tmp_path, sealed):
    backbone = {"name": HUB, "weights": "/any/file.pth"}
    run = uploaded_run(tiny_run, tmp_path / "home", data={"labels": "/x"}, backbone=backbone)
    before = run.fingerprint
    run = imported.give(run, {"backbone.weights": "/mine.safetensors"})
    assert imported.missing(run) == ["data.labels"] and run.config.backbone.weights == "/mine.safetensors"
    assert run.fingerprint != before  # what was cached of it is read again
    assert "/mine.safetensors" in run.record["command"]
    with pytest.raises(InputError, match="does not lack backbone"):
        imported.give(run, {"backbone.weights": "/other"})
    imported.check_backbone(run)
    with pytest.raises(InputError, match=r"data\.labels"):
        imported.check_complete(run)
    imported.check_complete(imported.give(run, {"data.labels": None}))


def test_a_plugin_is_always_removed():
    data = DataConfig(dataset="folder", data="/d")
    config, missing = imported.without_sources(replace(RunConfig(data=data), plugin="/evil.py"))
    assert (config.plugin, config.data.data, config.data.dataset, missing) == (None, None, "folder", ["data.data"])


@pytest.mark.parametrize("name", ["hybrid-vit", "efficientnet-lite0", "auto"])
def test_bundled_backbones_lack_nothing(name):
    assert imported.without_sources(RunConfig(backbone=BackboneConfig(name=name)))[1] == []


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"missing": "data.data"}', '{"missing": ["status"]}', "\xff"])
def test_a_damaged_imported_json_permits_nothing(tiny_run, tmp_path, content):
    run = uploaded_run(tiny_run, tmp_path / "home")
    (run.path / imported.FILE).write_bytes(content.encode("latin-1"))
    with pytest.raises(InputError, match=r"imported\.json"):
        imported.check_backbone(run)


def test_a_zip_cannot_contain_imported_json(tiny_run, tmp_path):
    file = zip_of(tiny_run)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"tiny/{imported.FILE}", "{}")
    with pytest.raises(InputError, match="no part of a run"):
        manage.unpack(file, tmp_path, name="tiny")


@pytest.mark.parametrize(
    ("bound", "value"), [("MOST_RUNS", 1), ("MOST_BYTES", 1000), ("LEAST_FREE", 10**18)], ids=["runs", "bytes", "disk"]
)
def test_imports_are_bounded_and_leave_nothing(tiny_run, tmp_path, monkeypatch, bound, value):
    home = tmp_path / "home"
    uploaded_run(tiny_run, home)
    file = zip_of(tiny_run)
    monkeypatch.setattr(imported, bound, value)
    with pytest.raises(InputError):
        manage.unpack(file, home, name="tiny")
    assert [path.name for path in home.glob("*/config.json")] == ["config.json"]
    assert not list((home / ".incoming").iterdir())
    shutil.rmtree(home / "tiny")
    if bound != "LEAST_FREE":
        manage.unpack(file, home, name="tiny")
