"""A training on real images into a run directory: stopped, killed, or out of disk at any moment."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.limits import files_up_to, left_over
from transclipped.config import BackboneConfig, ClippingConfig, DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.features.cache import FeatureCache
from transclipped.flags import arguments
from transclipped.models.weights import load_tensors
from transclipped.runs.run import RunDir
from transclipped.training import train as loop
from transclipped.training.train import STATE_FILE, Stopped, run_training
from transclipped.training.trainer import Event

ROOT = Path(__file__).resolve().parents[2]


def trained(config, path, **options):
    """Run to the end; returns all items."""
    return list(run_training(config, path, **options))


def epochs_of(run):
    """Epoch events without times and speeds."""
    return [{k: v for k, v in event.items() if k not in ("t", "images_per_s")} for event in run.events("epoch")]


def assert_same_result(first, second):
    a, b = RunDir(first).retrieval(), RunDir(second).retrieval()
    for name in ("codebooks", "codes", "queries"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert RunDir(first).metrics()["modes"] == RunDir(second).metrics()["modes"]
    assert epochs_of(RunDir(first)) == epochs_of(RunDir(second))
    assert RunDir(first).epochs() == RunDir(second).epochs()


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """An uninterrupted run."""
    path = tmp_path_factory.mktemp("whole") / "run"
    trained(tiny(), path)
    return path


def test_finished_run_has_all_files(whole):
    run = RunDir(whole)
    assert run.status()["state"] == "finished"
    files = {str(path.relative_to(whole)) for path in whole.rglob("*") if path.is_file()}
    kept = {f"epochs/{n}.safetensors" for n in (1, 2, 3)} | {"model.safetensors", "last.safetensors"}
    records = {"config.json", "events.jsonl", "metrics.json", "retrieval.npz", "split.json", "status.json"}
    assert files == kept | records | {"lock"} and not (whole / "lock").read_text()
    for name, tensor in load_tensors(whole / "model.safetensors").items():
        torch.testing.assert_close(tensor.half(), load_tensors(whole / "epochs" / "3.safetensors")[name])


def test_events_follow_their_contract(whole):
    events = RunDir(whole).events()
    common = {"v", "t", "kind", "epoch", "step"}
    parts = {
        "loss",
        "contrastive",
        "entropy",
        "diversity",
        "clip_fraction",
        "mean_cosine",
        "lr",
        "images_per_s",
        "perplexity",
    }
    for event in events:
        if event["kind"] == "state":
            assert set(event) == common | {"state"}
        else:
            assert common | parts <= set(event) <= common | parts | {"clip_precision", "validation_map"}
            assert ("validation_map" in event) == (event["kind"] == "epoch")
    assert [event["kind"] for event in events].count("epoch") == 3
    assert (events[-1]["kind"], events[-1]["state"], events[-1]["step"]) == ("state", "finished", 9)
    assert [event["step"] for event in events] == sorted(event["step"] for event in events)


@pytest.mark.parametrize("stop", [1, 3, 5, 9])  # 3 and 9 end an epoch, 9 the training
def test_resuming_after_a_stop_at_any_step_gives_the_same_result(stop, tiny, whole, tmp_path):
    path, events = tmp_path / "run", []

    def stop_asked():
        return signal.SIGTERM if events and events[-1].step >= stop else None

    with pytest.raises(Stopped) as caught:
        for item in run_training(tiny(), path, stop_asked=stop_asked):
            events += [item] if isinstance(item, Event) else []
    assert caught.value.signal == signal.SIGTERM and RunDir(path).status()["state"] == "stopped"
    assert int(load_tensors(path / STATE_FILE)["step"]) == stop
    assert not (path / "metrics.json").exists()
    trained(tiny(), path, resume=True)
    assert_same_result(path, whole)
    assert RunDir(path).status()["state"] == "finished"


def test_closing_the_generator_stops_the_training(tiny, whole, tmp_path):
    work = run_training(tiny(), tmp_path / "run")
    next(item for item in work if isinstance(item, Event) and item.step == 4)
    work.close()
    assert RunDir(tmp_path / "run").status()["state"] == "stopped"
    trained(tiny(), tmp_path / "run", resume=True)
    assert_same_result(tmp_path / "run", whole)


@pytest.mark.parametrize("measuring", [False, True])
def test_stop_file_before_the_second_step_or_while_measuring(measuring, tiny, whole, tmp_path):
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        for item in run_training(tiny(), path):
            assert measuring or isinstance(item, Event)
            if not measuring or getattr(item, "what", "") == "measuring":
                RunDir(path).ask_to_stop()
    assert not (path / "metrics.json").exists()
    trained(tiny(), path, resume=True)
    assert_same_result(path, whole)


def test_resuming_after_a_kill_gives_the_same_result(tiny, tmp_path):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    config = tiny()
    config = replace(config, schedule=replace(config.schedule, epochs=100))
    command = [sys.executable, "-m", "transclipped", "train", *arguments(config), "--run", str(killed)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(RunDir(killed).epochs()) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(60) == -signal.SIGKILL
    run = RunDir(killed)
    assert 2 <= len(run.epochs()) < 100 and run.head().shape == (4, 256, 16)
    assert all(run.head(epoch=epoch).shape == (4, 256, 16) for epoch in run.epochs())
    trained(config, killed, resume=True)
    trained(config, whole)
    assert_same_result(killed, whole)


def test_sigterm_saves_the_state_and_exits_with_130(tiny, tmp_path):
    path, config = tmp_path / "run", tiny()
    config = replace(config, schedule=replace(config.schedule, epochs=500))
    command = [sys.executable, "-m", "transclipped", "train", *arguments(config), "--run", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not RunDir(path).epochs() and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == "" and "--resume" in err.splitlines()[-1]
    assert "Traceback" not in err and RunDir(path).status()["state"] == "stopped"
    assert int(load_tensors(path / STATE_FILE)["step"]) >= 3


@pytest.mark.parametrize("size", [500, 20_000, 500_000])
def test_full_disk_is_reported_and_leaves_no_partial_file(size, tiny, whole, tmp_path):
    """500 bytes are too few for the settings, 20,000 for a head, 500,000 for the optimizer state."""
    path = tmp_path / "run"
    with files_up_to(size), pytest.raises(InputError, match=r"cannot write .*; free some space") as caught:
        trained(tiny(), path)
    assert "\n" not in str(caught.value) and not left_over(path)
    for stored in path.rglob("*.safetensors"):
        load_tensors(stored)
    if size == 500:
        assert not (path / "config.json").exists()
        return
    assert RunDir(path).status()["state"] == "failed"
    assert "cannot write" in RunDir(path).status()["error"]
    assert (path / "model.safetensors").exists() == (size > 400_000)
    trained(tiny(), path, resume=True)
    assert_same_result(path, whole)


@pytest.mark.parametrize("keep", [0, 7, 0.5, 0.999])
def test_truncated_state_is_rejected(keep, tiny, whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    state = (path / STATE_FILE).read_bytes()
    (path / STATE_FILE).write_bytes(state[: keep if isinstance(keep, int) else int(keep * len(state))])
    with pytest.raises(InputError, match=r"last\.safetensors is damaged") as caught:
        trained(tiny(), path, resume=True)
    assert "\n" not in str(caught.value) and RunDir(path).status()["state"] == "failed"


def test_state_of_another_shape_is_rejected(tiny, whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    record = (path / "config.json").read_text()
    assert '"bits": 32' in record
    (path / "config.json").write_text(record.replace('"bits": 32', '"bits": 64'))
    with pytest.raises(InputError, match=r"quantizer\.codebooks of shape \[4, 256, 16\].*\[8, 256, 8\]"):
        trained(tiny(), path, resume=True)


def test_resuming_with_other_images_or_weights_is_rejected(tiny, whole, tmp_path):
    for name, what in (("data_fingerprint", "images"), ("backbone_fingerprint", "backbone's weights")):
        path = shutil.copytree(whole, tmp_path / name)
        fingerprint = RunDir(path).record[name]
        (path / "config.json").write_text((path / "config.json").read_text().replace(fingerprint, "0" * 16))
        with pytest.raises(InputError, match=f"the {what} have changed"):
            trained(tiny(), path, resume=True)


def bad_settings(tiny, folder):
    labels = folder / "labels.csv"
    labels.write_text("no,header\n")
    (folder / "images").mkdir()
    for row, image in enumerate(load(DataConfig()).encoded(row) for row in range(4)):
        (folder / "images" / f"{row}.png").write_bytes(image)
    schedule = tiny().schedule
    return {
        "rule": tiny(clipping=ClippingConfig(rule="magic")),
        "folder": tiny(data=DataConfig(dataset="folder", data=str(folder / "nowhere"))),
        "labels": tiny(data=DataConfig(dataset="folder", data=str(folder / "images"), labels=str(labels))),
        "batch": tiny(schedule=replace(schedule, batch=100_000)),
        "backbone": tiny(backbone=BackboneConfig(name="efficientnet-lite0", weights=str(folder / "none.safetensors"))),
    }


@pytest.mark.parametrize("name", ["rule", "folder", "labels", "batch", "backbone"])
def test_invalid_settings_leave_no_folder(name, tiny, tmp_path):
    path = tmp_path / "runs" / "run"
    with pytest.raises(InputError):
        trained(bad_settings(tiny, tmp_path)[name], path)
    assert not path.exists()


def test_failed_resume_is_recorded_in_the_status(tiny, whole, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(whole, path)
    record = (path / "config.json").read_text()
    (path / "config.json").write_text(record.replace('"rule": "rank"', '"rule": "magic"'))
    with pytest.raises(InputError, match="magic"):
        trained(RunDir(path).config, path, resume=True)
    assert RunDir(path).status()["state"] == "failed" and "magic" in RunDir(path).status()["error"]


def test_stop_file_is_ignored_if_old_and_obeyed_while_preparing(tiny, whole, tmp_path, monkeypatch):
    path, prepare = tmp_path / "run", loop.prepare
    path.mkdir()
    RunDir(path).ask_to_stop()
    assert trained(tiny(), path)[-1].what == "measuring"
    monkeypatch.setattr(loop, "prepare", lambda *a, **o: RunDir(path).ask_to_stop() or prepare(*a, **o))
    with pytest.raises(Stopped):
        trained(tiny(), path, overwrite=True)
    assert RunDir(path).status()["state"] == "stopped"


def test_validation_selects_the_best_epoch(tiny, tmp_path, monkeypatch):
    values = iter([0.2, 0.9, 0.5])
    monkeypatch.setattr(loop.evaluation, "validation_map", lambda session, model: next(values))
    path = tmp_path / "run"
    trained(tiny(select="validation"), path)
    kept, best = load_tensors(path / "model.safetensors"), load_tensors(path / "epochs" / "2.safetensors")
    last = load_tensors(path / "epochs" / "3.safetensors")
    for name, tensor in kept.items():
        assert torch.equal(tensor.half(), best[name]) and not torch.equal(tensor.half(), last[name])
    assert RunDir(path).metrics()["selection"] == "validation"
    assert RunDir(path).record["select"] == "validation"


def test_selection_never_uses_queries(tiny, tmp_path, monkeypatch):
    filled, measuring = [], []
    fill, measure = FeatureCache.fill, loop.evaluation.measure

    def logged_fill(cache, view, rows, **options):
        filled.append((bool(measuring), rows))
        return fill(cache, view, rows, **options)

    monkeypatch.setattr(FeatureCache, "fill", logged_fill)
    monkeypatch.setattr(loop.evaluation, "measure", lambda *a, **o: measuring.append(1) or measure(*a, **o))
    sizes, quick = [], loop.evaluation.quick_map

    def logged_map(*args, query_labels, **options):
        sizes.append(len(query_labels))
        return quick(*args, query_labels=query_labels, **options)

    monkeypatch.setattr(loop.evaluation, "quick_map", logged_map)
    path = tmp_path / "run"
    trained(tiny(select="validation"), path)
    queries = RunDir(path).retrieval().query_ids  # ids are rows
    before = [rows for late, rows in filled if not late]
    assert len(before) == 3  # two training views, and validation
    assert not any(np.isin(rows, queries).any() for rows in before) and sizes == [20, 20, 20]


def test_selection_by_validation_needs_labels(tiny, tmp_path):
    images, cifar = tmp_path / "images", load(DataConfig())
    images.mkdir()
    for row in range(30):
        (images / f"{row}.png").write_bytes(cifar.encoded(row))
    data = DataConfig(dataset="folder", data=str(images), validation=5)
    config = tiny(data=data, select="validation")
    config = replace(config, schedule=replace(config.schedule, batch=10))
    with pytest.raises(InputError, match="needs labels"):
        trained(config, tmp_path / "run")


@pytest.mark.parametrize("train", ["last-1", "all"])
def test_trained_backbone_is_saved_and_resumes_to_the_same_result(train, tiny, tmp_path):
    data = DataConfig(train_limit=24, database_limit=24, query_limit=8)
    config = tiny(data=data, backbone=BackboneConfig(name="efficientnet-lite0", image_size=32, train=train))
    config = replace(config, schedule=replace(config.schedule, batch=12, epochs=2))
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    trained(config, whole)
    kept = load_tensors(whole / "model.safetensors")
    assert any(name.startswith("backbone.") for name in kept)
    work = run_training(config, stopped)
    next(item for item in work if isinstance(item, Event) and item.step == 3)
    work.close()
    trained(config, stopped, resume=True)
    assert_same_result(stopped, whole)
    again = load_tensors(stopped / "model.safetensors")
    assert all(torch.equal(tensor, again[name]) for name, tensor in kept.items())
