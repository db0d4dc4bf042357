"""The command line from end to end on 200 real images, and its errors."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TINY, refused
from tests.limits import files_up_to
from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.utils import files

ROOT = Path(__file__).resolve().parents[1]


def run_json(capsys, *argv):
    assert main([*map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_run_directory_has_the_documented_content(tiny_run):
    run = RunDir(tiny_run)
    assert run.status()["state"] == "finished" and run.epochs() == [1, 2]
    record = run.record
    assert record["seed"] == 0 and len(record["data_fingerprint"]) == 16
    assert record["command"].startswith("python -m transclipped train ")
    assert {"torch", "timm", "transclipped"} <= set(record["versions"])
    kinds = [event["kind"] for event in run.events()]
    assert kinds.count("epoch") == 2 and kinds[-1] == "state"
    step = run.events("step")[0]
    assert {"v", "t", "epoch", "step", "loss", "clip_fraction", "lr", "images_per_s", "perplexity"} <= set(step)
    assert 0 <= run.events("epoch")[-1]["validation_map"] <= 1
    stored = run.retrieval()
    assert stored.codes.shape == (200, 4) and stored.codebooks.shape == (4, 256, 16)
    assert stored.queries.shape == (40, 64) and stored.queries.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(stored.codebooks, axis=-1), 1, atol=1e-5)
    metrics = run.metrics()
    assert (metrics["n_queries"], metrics["n_database"], metrics["bytes_per_item"]) == (40, 200, 4)
    assert set(metrics["modes"]) == {"asymmetric", "symmetric", "float"}
    for mode in metrics["modes"].values():
        assert 0.1 < mode["map"] <= 1
        assert len(mode["precision_recall"]["recall"]) == len(mode["precision_recall"]["precision"])


def test_stored_command_repeats_the_run_exactly(tiny_run, tmp_path):
    words = RunDir(tiny_run).record["command"].split()[3:]
    words[words.index("--run") + 1] = str(tmp_path / "again")
    assert main(words) == 0
    first, again = RunDir(tiny_run).retrieval(), RunDir(tmp_path / "again").retrieval()
    np.testing.assert_array_equal(first.codes, again.codes)
    np.testing.assert_array_equal(first.codebooks, again.codebooks)


def test_evaluate_repeats_the_metrics_of_training(tiny_run, capsys):
    before = RunDir(tiny_run).metrics()
    again = run_json(capsys, "evaluate", "--run", tiny_run)
    stored = run_json(capsys, "evaluate", "--run", tiny_run, "--stored")
    for metrics in (again, stored):
        for mode in ("asymmetric", "symmetric"):
            assert metrics["modes"][mode]["map"] == pytest.approx(before["modes"][mode]["map"], abs=1e-9)
    assert set(stored["modes"]) == {"asymmetric", "symmetric"}


def test_search_finds_a_database_image_itself(tiny_run, tmp_path, capsys):
    images = load(DataConfig())
    row = int(RunDir(tiny_run).retrieval().database_ids[3])
    (tmp_path / "query.png").write_bytes(images.encoded(row))
    hits = run_json(capsys, "search", tmp_path / "query.png", "--run", tiny_run, "--top", 5)["hits"]
    assert len(hits) == 5 and row in [hit["id"] for hit in hits]
    best = hits[0]
    assert sum(best["by_codebook"]) == pytest.approx(best["score"], abs=1e-5)
    assert best["labels"][0] in images.class_names
    assert main(["search", str(tmp_path / "query.png"), "--run", str(tiny_run)]) == 0
    assert "score" in capsys.readouterr().out


def test_search_takes_the_collection_that_encode_writes(tiny_run, tmp_path, capsys):
    images = load(DataConfig())
    folder, out = tmp_path / "images", tmp_path / "out"
    (folder / "inner").mkdir(parents=True)
    for row in range(6):
        (folder / "inner" / f"{row}.jpg").write_bytes(images.encoded(row))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not an image")
    summary = run_json(capsys, "encode", folder, "--run", tiny_run, "--out", out)
    assert summary["n"] == 6 and summary["skipped"][0][0] == "broken.jpg"
    image = folder / "inner" / "2.jpg"
    hits = run_json(capsys, "search", image, "--run", tiny_run, "--collection", out, "--top", 3)["hits"]
    assert "inner/2.jpg" in [hit["id"] for hit in hits]


def test_datasets_lists_checks_and_shows_the_cache(capsys):
    assert {"cifar10", "caltech101", "folder"} <= set(run_json(capsys, "datasets"))
    checked = run_json(capsys, "datasets", "check", "cifar10", "--protocol", "II")
    assert (checked["train"], checked["query"], checked["database"]) == (5_000, 10_000, 50_000)
    assert run_json(capsys, "datasets", "cache")["bytes"] >= 0


def test_existing_run_is_overwritten_only_with_the_flag(tiny_run, capsys):
    assert "--overwrite" in refused(capsys, "train", *TINY, "--run", tiny_run)
    assert "0.9" in refused(capsys, "train", "--run", tiny_run, "--resume", "--temperature", "0.9")


def test_overwriting_with_invalid_settings_leaves_the_old_run(tiny_run, tmp_path, capsys):
    run = tmp_path / "precious"
    shutil.copytree(tiny_run, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for wrong in (
        ["--dataset", "cifra10"],
        ["--dataset", "folder", "--data", tmp_path / "gone"],
        ["--clip", "mine"],
        ["--backbone", "no_such_net"],
        ["--batch", "500"],
        ["--loss", "mine"],
    ):
        refused(capsys, "train", *TINY, "--run", run, "--overwrite", *wrong)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["train", *TINY, "--run", str(run), "--overwrite", "--bits", "16", "--epochs", "1"]) == 0
    assert RunDir(run).config.quantizer.bits == 16 and RunDir(run).epochs() == [1]


BAD_SETTINGS = {  # part of the message: flags
    "vit_tiny_patch16_224": ["--backbone vit_tiny_patch16_22"],
    "cifar10": ["--dataset cifar11"],
    "/no/such/folder": ["--data /no/such/folder"],
    "/no/such/file.safetensors": ["--weights /no/such/file.safetensors"],
    "4 codebooks": ["--dim 66"],
    "512": ["--codewords 512"],
    "multiple of 8": ["--bits 20"],
    "rank+threshold": ["--clip magic"],
    "1.5": ["--clip threshold --clip-threshold 1.5"],
    "nan": ["--clip-threshold nan"],
    "clipping.threshold": ["--clip-threshold -1.01"],
    "clipping.fraction": ["--clip-fraction 1", "--clip-fraction -0.1"],
    "clipping.class_prior": ["--class-prior 1"],
    "clipping.sigma": ["--clip-sigma -1"],
    "start 2": ["--clip-start 2 --clip-full 1"],
    "schedule.epochs": ["--epochs 0"],
    "schedule.batch": ["--batch 1"],
    "schedule.lr": ["--lr inf"],
    "loss.temperature": ["--temperature 0"],
    "seed": ["--seed -1"],
    "k is 0": ["--k 0"],
    "data.validation": ["--select validation", "--validation 199 --train-limit 200 --database-limit 200"],
    "500": ["--batch 500 --train-limit 100 --database-limit 100"],
}


@pytest.mark.parametrize(("part", "flags"), [(part, flags) for part, each in BAD_SETTINGS.items() for flags in each])
def test_bad_settings_end_in_one_line(tmp_path, capsys, part, flags):
    base = [] if "--train-limit" in flags else TINY[2:8]
    words = ["train", *base, "--image-size", 32, "--views", 2, *flags.split(), "--run", tmp_path / "run"]
    assert part in refused(capsys, *words)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_bad_files_end_in_one_line(tiny_run, tmp_path, capsys):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    assert "text.png" in refused(capsys, "search", tmp_path / "text.png", "--run", tiny_run)
    assert "empty" in refused(capsys, "search", tmp_path / "empty.png", "--run", tiny_run)
    assert "missing.png" in refused(capsys, "search", tmp_path / "missing.png", "--run", tiny_run)
    assert "not a run" in refused(capsys, "evaluate", "--run", tmp_path)


def test_checkpoint_of_another_shape_is_refused(tiny_run, tmp_path, capsys):
    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    record = json.loads((copy / "config.json").read_text())
    record["quantizer"]["bits"] = 64
    (copy / "config.json").write_text(json.dumps(record))
    assert "quantizer.codebooks" in refused(capsys, "evaluate", "--run", copy)
    (copy / "model.safetensors").write_bytes(b"damaged")
    assert "damaged" in refused(capsys, "evaluate", "--run", copy)


def start(path):
    """Train 40 epochs in a process; returns it after the first one."""
    command = [sys.executable, "-m", "transclipped", "train", *TINY, "--epochs", "40", "--run", str(path)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    for _ in range(600):
        if RunDir(path).epochs():
            return process
        time.sleep(0.05)
    raise AssertionError("no epoch was finished")


def test_interrupted_training_is_stopped_and_resumes_to_the_same_result(tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process = start(stopped)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert RunDir(stopped).status()["state"] == "stopped"
    assert len(RunDir(stopped).epochs()) < 40
    assert main(["train", "--run", str(stopped), "--resume"]) == 0
    assert main(["train", *TINY, "--epochs", "40", "--run", str(whole)]) == 0
    np.testing.assert_array_equal(RunDir(stopped).retrieval().codes, RunDir(whole).retrieval().codes)
    steps = [event["step"] for event in RunDir(stopped).events("epoch")]
    assert steps == sorted(set(steps))


def test_stop_file_stops(tmp_path):
    path = tmp_path / "run"
    process = start(path)
    RunDir(path).ask_to_stop()
    assert process.wait(60) == 130
    assert RunDir(path).status()["state"] == "stopped"


def test_full_disk_raises_and_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "metrics.json"
    files.write_json(path, {"old": 1})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        files.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_full_disk_in_training_ends_in_one_line(tmp_path, capsys):
    with files_up_to(20_000):
        message = refused(capsys, "train", *TINY, "--run", tmp_path / "run")
    assert "cannot write" in message and "space" in message
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert RunDir(tmp_path / "run").status()["state"] == "failed"
