"""The command line end to end on 200 real images, and its answers to bad input."""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import TINY
from tests.limits import files_up_to
from transclipped.cli import main
from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.runs.run import RunDir

ROOT = Path(__file__).resolve().parents[1]


def run_json(capsys, *argv):
    assert main([*map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *argv):
    """One readable line and exit code 2."""
    capsys.readouterr()
    assert main([*map(str, argv)]) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert message.startswith("transclipped: ")
    assert "Traceback" not in message
    return message


def test_run_directory_keeps_its_contract(tiny_run):
    run = RunDir(tiny_run)
    assert run.status()["state"] == "finished"
    assert run.epochs() == [1, 2]
    record = run.record
    assert record["seed"] == 0
    assert record["command"].startswith("python -m transclipped train ")
    assert {"torch", "timm", "transclipped"} <= set(record["versions"])
    assert len(record["data_fingerprint"]) == 16
    kinds = [event["kind"] for event in run.events()]
    assert kinds.count("epoch") == 2
    assert kinds[-1] == "state"
    step = run.events("step")[0]
    assert {"v", "t", "epoch", "step", "loss", "clip_fraction", "lr", "images_per_s", "perplexity"} <= set(step)
    assert 0 <= run.events("epoch")[-1]["validation_map"] <= 1
    stored = run.retrieval()
    assert stored.codes.shape == (200, 4)
    assert stored.codebooks.shape == (4, 256, 16)
    assert stored.queries.shape == (40, 64)
    assert stored.queries.dtype == np.float16
    np.testing.assert_allclose(np.linalg.norm(stored.codebooks, axis=-1), 1, atol=1e-5)
    metrics = run.metrics()
    assert metrics["n_queries"] == 40
    assert metrics["n_database"] == 200
    assert metrics["bytes_per_item"] == 4
    assert set(metrics["modes"]) == {"asymmetric", "symmetric", "float"}
    for mode in metrics["modes"].values():
        assert 0.1 < mode["map"] <= 1
        assert len(mode["precision_recall"]["recall"]) == len(mode["precision_recall"]["precision"])


def test_same_seed_gives_the_same_result_and_the_command_repeats_it(tiny_run, tmp_path):
    words = RunDir(tiny_run).record["command"].split()[3:]
    words[words.index("--run") + 1] = str(tmp_path / "again")
    assert main(words) == 0
    first, again = RunDir(tiny_run).retrieval(), RunDir(tmp_path / "again").retrieval()
    np.testing.assert_array_equal(first.codes, again.codes)
    np.testing.assert_array_equal(first.codebooks, again.codebooks)


def test_evaluate_repeats_what_training_measured(tiny_run, capsys):
    before = RunDir(tiny_run).metrics()
    again = run_json(capsys, "evaluate", "--run", tiny_run)
    stored = run_json(capsys, "evaluate", "--run", tiny_run, "--stored")
    for found in (again, stored):
        for mode in ("asymmetric", "symmetric"):
            assert found["modes"][mode]["map"] == pytest.approx(before["modes"][mode]["map"], abs=1e-9)
    assert set(stored["modes"]) == {"asymmetric", "symmetric"}


def test_search_finds_a_database_image_itself(tiny_run, tmp_path, capsys):
    images = load(DataConfig())
    row = int(RunDir(tiny_run).retrieval().database_ids[3])
    (tmp_path / "query.png").write_bytes(images.encoded(row))
    found = run_json(capsys, "search", tmp_path / "query.png", "--run", tiny_run, "--top", 5)
    assert len(found["hits"]) == 5
    assert row in [hit["id"] for hit in found["hits"]]
    best = found["hits"][0]
    assert sum(best["by_codebook"]) == pytest.approx(best["score"], abs=1e-5)
    assert best["labels"][0] in images.class_names
    assert main(["search", str(tmp_path / "query.png"), "--run", str(tiny_run)]) == 0
    assert "score" in capsys.readouterr().out


def test_encode_makes_a_collection_that_search_finds_in(tiny_run, tmp_path, capsys):
    images = load(DataConfig())
    folder = tmp_path / "pictures"
    (folder / "inner").mkdir(parents=True)
    for row in range(6):
        (folder / "inner" / f"{row}.jpg").write_bytes(images.encoded(row))
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 not an image")
    summary = run_json(capsys, "encode", folder, "--run", tiny_run, "--out", tmp_path / "out")
    assert summary["n"] == 6
    assert summary["skipped"][0][0] == "broken.jpg"
    found = run_json(
        capsys, "search", folder / "inner" / "2.jpg", "--run", tiny_run, "--collection", tmp_path / "out", "--top", 3
    )
    assert "inner/2.jpg" in [hit["id"] for hit in found["hits"]]


def test_datasets_lists_checks_and_tells_the_cache(capsys):
    assert {"cifar10", "caltech101", "folder"} <= set(run_json(capsys, "datasets"))
    checked = run_json(capsys, "datasets", "check", "cifar10", "--protocol", "II")
    assert (checked["train"], checked["query"], checked["database"]) == (5_000, 10_000, 50_000)
    assert run_json(capsys, "datasets", "cache")["bytes"] >= 0


def test_existing_run_is_not_overwritten_unasked(tiny_run, capsys):
    assert "--overwrite" in refused(capsys, "train", *TINY, "--run", tiny_run)
    assert "0.9" in refused(capsys, "train", "--run", tiny_run, "--resume", "--temperature", "0.9")


def test_overwriting_with_what_cannot_be_trained_leaves_the_old_run(tiny_run, tmp_path, capsys):
    run = tmp_path / "precious"
    shutil.copytree(tiny_run, run)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for wrong in (["--dataset", "cifra10"], ["--dataset", "folder", "--data", tmp_path / "gone"], ["--clip", "mine"],
                  ["--backbone", "no_such_net"], ["--batch", "500"], ["--loss", "mine"]):  # fmt: skip
        refused(capsys, "train", *TINY, "--run", run, "--overwrite", *wrong)
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["train", *TINY, "--run", str(run), "--overwrite", "--bits", "16", "--epochs", "1"]) == 0
    assert RunDir(run).config.quantizer.bits == 16 and RunDir(run).epochs() == [1]


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--backbone", "vit_tiny_patch16_22"], "vit_tiny_patch16_224"),
        (["--dataset", "cifar11"], "cifar10"),
        (["--data", "/no/such/folder"], "/no/such/folder"),
        (["--dim", "66"], "4 codebooks"),
        (["--codewords", "512"], "512"),
        (["--clip", "threshold", "--clip-threshold", "1.5"], "1.5"),
        (["--clip-threshold", "nan"], "nan"),
        (["--clip-fraction", "1"], "clipping.fraction"),
        (["--clip-threshold", "-1.01"], "clipping.threshold"),
        (["--clip-fraction", "-0.1"], "clipping.fraction"),
        (["--class-prior", "1"], "clipping.class_prior"),
        (["--clip-sigma", "-1"], "clipping.sigma"),
        (["--clip-start", "2", "--clip-full", "1"], "start 2"),
        (["--bits", "20"], "multiple of 8"),
        (["--epochs", "0"], "schedule.epochs"),
        (["--batch", "1"], "schedule.batch"),
        (["--lr", "inf"], "schedule.lr"),
        (["--seed", "-1"], "seed"),
        (["--k", "0"], "k is 0"),
        (["--validation", "199", "--train-limit", "200", "--database-limit", "200"], "data.validation"),
        (["--clip", "magic"], "rank+threshold"),
        (["--batch", "500", "--train-limit", "100", "--database-limit", "100"], "500"),
        (["--temperature", "0"], "loss.temperature"),
        (["--weights", "/no/such/file.safetensors"], "/no/such/file.safetensors"),
        (["--select", "validation"], "data.validation"),
    ],
)
def test_bad_settings_end_in_one_sentence(tmp_path, capsys, flags, named):
    run = tmp_path / "run"
    base = [] if "--train-limit" in flags else TINY[2:8]
    message = refused(capsys, "train", *base, "--image-size", 32, "--views", 2, *flags, "--run", run)
    assert named in message
    assert not (run / "model.safetensors").exists()


def test_bad_files_end_in_one_sentence(tiny_run, tmp_path, capsys):
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty.png").touch()
    assert "text.png" in refused(capsys, "search", tmp_path / "text.png", "--run", tiny_run)
    assert "empty" in refused(capsys, "search", tmp_path / "empty.png", "--run", tiny_run)
    assert "missing.png" in refused(capsys, "search", tmp_path / "missing.png", "--run", tiny_run)
    assert "not a run" in refused(capsys, "evaluate", "--run", tmp_path)


def test_checkpoint_of_another_shape_is_refused(tiny_run, tmp_path, capsys):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny_run, copy)
    record = json.loads((copy / "config.json").read_text())
    record["quantizer"]["bits"] = 64
    (copy / "config.json").write_text(json.dumps(record))
    assert "quantizer.codebooks" in refused(capsys, "evaluate", "--run", copy)
    (copy / "model.safetensors").write_bytes(b"damaged")
    assert "damaged" in refused(capsys, "evaluate", "--run", copy)


def start(path, *extra, epochs=40):
    command = [sys.executable, "-m", "transclipped", "train", *TINY, "--epochs", str(epochs), "--run", str(path)]
    return subprocess.Popen([*command, *extra], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)


def wait_for_epoch(path, *, least=1):
    for _ in range(600):
        if RunDir(path).epochs() and RunDir(path).epochs()[-1] >= least:
            return
        time.sleep(0.05)
    raise AssertionError("no epoch was finished")


def test_interrupted_training_says_stopped_and_resumes_to_the_same_end(tmp_path):
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    process = start(stopped)
    wait_for_epoch(stopped)
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
    path = tmp_path / "asked"
    process = start(path)
    wait_for_epoch(path)
    RunDir(path).ask_to_stop()
    assert process.wait(60) == 130
    assert RunDir(path).status()["state"] == "stopped"


def test_full_disk_is_told_and_keeps_the_old_file(tmp_path, monkeypatch):
    from transclipped.errors import InputError
    from transclipped.utils import files

    path = tmp_path / "metrics.json"
    files.write_json(path, {"old": 1})

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(InputError, match="No space left"):
        files.write_json(path, {"new": 2})
    assert json.loads(path.read_text()) == {"old": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.json"]


def test_disk_that_fills_up_in_training_ends_in_one_sentence(tmp_path, capsys):
    with files_up_to(20_000):
        message = refused(capsys, "train", *TINY, "--run", tmp_path / "run")
    assert "cannot write" in message
    assert "free some space" in message
    assert not list((tmp_path / "run").glob("*.safetensors"))
    assert RunDir(tmp_path / "run").status()["state"] == "failed"
