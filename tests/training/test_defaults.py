"""Defaults train any number of images; settings chosen by the user are kept or rejected."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from transclipped import flags
from transclipped.cli import main
from transclipped.config import DataConfig, RunConfig, ScheduleConfig, from_dict, to_dict
from transclipped.errors import InputError
from transclipped.runs.run import RunDir
from transclipped.training import defaults
from transclipped.training import train as loop
from transclipped.training.defaults import STEPS, default_batch, default_epochs, fitted


@pytest.fixture
def embeddings(tmp_path):
    """File of n embeddings in three clusters."""

    def made(n):
        rng = np.random.default_rng(n)
        path = tmp_path / f"{n}.npy"
        np.save(path, (np.eye(3, 24)[np.arange(n) % 3] + 0.1 * rng.normal(size=(n, 24))).astype(np.float32))
        return path

    return made


def train(data, run, *more, dataset="embeddings"):
    return main(["train", "--dataset", dataset, "--data", str(data), "--run", str(run), *map(str, more)])


@given(st.integers(3, 10**7))
def test_defaults_give_two_steps_an_epoch_and_enough_in_all(images):
    batch = default_batch(images)
    epochs = default_epochs(images, batch)
    assert 2 <= batch <= 256 and batch & (batch - 1) == 0
    assert 2 * batch <= images or batch == 2
    assert 4 * batch > images or batch == 256  # none larger would do
    assert images // batch * epochs >= STEPS
    assert epochs == 6 or images // batch * (epochs - 1) < STEPS  # nor fewer epochs


@pytest.mark.parametrize("images", [1792, 2000, 50_000])
def test_defaults_stay_for_many_images(images):
    fit = fitted(RunConfig(), images=images, chosen=())
    assert fit.config == RunConfig() and not fit.changes and not str(fit)


def test_chosen_settings_stay_even_if_equal_to_the_default():
    fit = fitted(RunConfig(), images=300, chosen={"schedule.batch"})
    assert fit.config.schedule == ScheduleConfig(batch=256, epochs=STEPS)
    assert fit.changes == {"schedule.epochs": STEPS}
    assert fitted(RunConfig(), images=11, chosen=flags.SIZED).config == RunConfig()


@pytest.mark.parametrize(("n", "batch", "epochs"), [(4, 2, 40), (12, 4, 20), (90, 32, 20), (300, 128, 20)])
def test_training_with_defaults_records_the_adapted_numbers(n, batch, epochs, embeddings, tmp_path, capsys):
    assert train(embeddings(n), tmp_path / "run") == 0
    run = RunDir(tmp_path / "run")
    assert run.status()["state"] == "finished"
    assert (run.config.schedule.batch, run.config.schedule.epochs) == (batch, epochs)
    assert run.record["fitted"] == {"schedule.batch": batch, "schedule.epochs": epochs}
    assert max(e["step"] for e in run.events("step", "epoch")) == (n - max(1, round(n / 10))) // batch * epochs
    assert run.metrics()["k"] == run.metrics()["n_database"] == n - max(1, round(n / 10))
    printed = capsys.readouterr().err
    assert f"batch is {batch} (usually 256)" in printed and f"epochs are {epochs} (usually 6)" in printed


def test_a_folder_of_a_dozen_images_trains(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        path = tmp_path / "images" / f"class {i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    fast = ("--backbone", "efficientnet-lite0", "--image-size", 32)
    assert train(tmp_path / "images", tmp_path / "run", *fast, dataset="folder") == 0
    assert RunDir(tmp_path / "run").config.schedule.batch == 4


def test_the_command_of_a_run_repeats_its_numbers(embeddings, tmp_path):
    train(embeddings(90), tmp_path / "run")
    assert "--epochs 20 --batch 32" in RunDir(tmp_path / "run").record["command"]
    usual = RunConfig(data=DataConfig(dataset="folder", data="d"))
    assert {"--batch", "--epochs"} <= set(flags.exact(usual))
    assert not {"--batch", "--epochs"} & set(flags.arguments(usual))
    assert flags.exact(RunConfig()) == flags.arguments(RunConfig()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--batch", 256), "schedule.batch is 256, more than the 81 training images; choose a batch of at most 81"),
        (("--batch", 82), "at most 81"),
        (("--k", 500), "at most 81"),
        (("--validation", 79), "at most 78"),
        (("--train-limit", 2), "need at least 3, 1 and 1"),
        (("--select", "validation"), "data.validation is 0"),
        (("--select", "validation", "--validation", 5), "needs labels"),
    ],
)
def test_errors_for_chosen_settings_name_the_limit(flags, message, embeddings, tmp_path, capsys):
    assert train(embeddings(90), tmp_path / "run", *flags) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("flags", [("--batch", 81), ("--k", 81), ("--validation", 78), ("--train-limit", 3)])
def test_values_at_the_limit_train(flags, embeddings, tmp_path):
    assert train(embeddings(90), tmp_path / "run", *flags) == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_error_for_too_few_images_names_the_minimum(n, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for i in range(n):
        Image.new("RGB", (8, 8), (i, 99, 0)).save(tmp_path / "images" / f"{i}.png")
    assert train(tmp_path / "images", tmp_path / "run", dataset="folder") == 2
    assert " 4 " in capsys.readouterr().err


@pytest.mark.parametrize(
    "labels", [["a"] * 12, ["a", "b", *[""] * 10], ["a", *[""] * 11], [f"only {i}" for i in range(12)]]
)
def test_labels_of_any_kind_train_and_are_measured(labels, embeddings, tmp_path):
    """One class; two labels; one label; a different class for each image."""
    csv = tmp_path / "labels.csv"
    csv.write_text("\n".join(["id,label", *(f"{row},{label}" for row, label in enumerate(labels) if label)]) + "\n")
    assert train(embeddings(12), tmp_path / "run", "--labels", csv) == 0
    value = RunDir(tmp_path / "run").metrics()["modes"]["asymmetric"]["map"]
    assert value == 1.0 if set(labels) == {"a"} else value is None or 0 <= value <= 1
    json.dumps(RunDir(tmp_path / "run").metrics(), allow_nan=False)


def test_few_queries_are_enough(embeddings, tmp_path):
    assert train(embeddings(90), tmp_path / "run", "--query-limit", 1, "--validation", 1) == 0
    assert RunDir(tmp_path / "run").metrics()["n_queries"] == 1


def test_config_is_adapted_before_training_starts(embeddings, tmp_path, monkeypatch):
    """So a training that is killed at once, or leaves an empty file, resumes with the adapted numbers."""
    config = RunConfig(data=DataConfig(dataset="embeddings", data=str(embeddings(90))))
    options = {"chosen": ["data.data", "data.dataset"]}
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_train", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        list(loop.run_training(config, tmp_path / "run", **options))
    assert RunDir(tmp_path / "run").config.schedule.batch == 32
    assert main(["train", "--run", str(tmp_path / "run"), "--resume"]) == 0
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "config.json").write_bytes(b"")
    list(loop.run_training(config, tmp_path / "empty", resume=True, **options))
    assert RunDir(tmp_path / "empty").config.schedule.batch == 32


def test_config_survives_a_round_trip():
    assert from_dict(RunConfig, to_dict(RunConfig())) == RunConfig()


def test_train_limit_alone_reports_the_other_images_to_encode(tmp_path, embeddings, capsys):
    assert train(embeddings(87), tmp_path / "short", "--train-limit", 20) == 0
    assert "78 of the 78 images of the database" in capsys.readouterr().err
    assert train(embeddings(87), tmp_path / "again", "--train-limit", 20) == 0
    assert "of the database are not encoded" not in capsys.readouterr().err


def test_the_check_names_the_setting():
    with pytest.raises(InputError) as caught:
        defaults.check_batch(10, 11)
    assert caught.value.setting == "schedule.batch"
