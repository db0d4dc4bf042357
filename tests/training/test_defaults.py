"""Defaults train any number of images, and what a person chose is kept or refused."""

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
from transclipped.training.defaults import STEPS, fitted, suited_batch, suited_epochs


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


def labelled(path, labels):
    """CSV with a label for each row that has one."""
    lines = [f"{row},{label}" for row, label in enumerate(labels) if label]
    path.write_text("\n".join(["id,label", *lines]) + "\n")
    return path


@given(st.integers(3, 10**7))
def test_defaults_give_two_steps_an_epoch_and_enough_in_all(images):
    batch = suited_batch(images)
    epochs = suited_epochs(images, batch)
    assert 2 <= batch <= 256 and batch & (batch - 1) == 0
    assert 2 * batch <= images or batch == 2
    assert 4 * batch > images or batch == 256  # none larger would do
    assert images // batch * epochs >= STEPS
    assert epochs == 6 or images // batch * (epochs - 1) < STEPS  # nor fewer epochs


@pytest.mark.parametrize("images", [1792, 2000, 50_000])
def test_defaults_that_suit_stay(images):
    fit = fitted(RunConfig(), images=images, chosen=())
    assert fit.config == RunConfig() and not fit.changes and not str(fit)


def test_what_was_chosen_stays_even_if_it_is_the_usual_value():
    fit = fitted(RunConfig(), images=300, chosen={"schedule.batch"})
    assert fit.config.schedule == ScheduleConfig(batch=256, epochs=STEPS)
    assert fit.changes == {"schedule.epochs": STEPS}
    assert fitted(RunConfig(), images=11, chosen=flags.SIZED).config == RunConfig()


@pytest.mark.parametrize(("n", "batch", "epochs"), [(4, 2, 40), (12, 4, 20), (90, 32, 20), (300, 128, 20)])
def test_all_defaults_end_finished_with_the_numbers_used(n, batch, epochs, embeddings, tmp_path, capsys):
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
    rng = np.random.default_rng(0)
    for i in range(12):
        pixels = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        path = tmp_path / "pictures" / f"class {i % 2}" / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    cheap = ("--backbone", "efficientnet-lite0", "--image-size", 32)
    assert train(tmp_path / "pictures", tmp_path / "run", *cheap, dataset="folder") == 0
    assert RunDir(tmp_path / "run").config.schedule.batch == 4


def test_the_command_of_a_run_repeats_its_numbers(embeddings, tmp_path):
    train(embeddings(90), tmp_path / "run")
    assert "--epochs 20 --batch 32" in RunDir(tmp_path / "run").record["command"]
    usual = RunConfig(data=DataConfig(dataset="folder", data="d"))
    assert {"--batch", "--epochs"} <= set(flags.exact(usual))
    assert not {"--batch", "--epochs"} & set(flags.arguments(usual))
    assert flags.exact(RunConfig()) == flags.arguments(RunConfig()) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--batch", 256), "schedule.batch is 256, but only 81 images train; choose a batch of at most 81"),
        (("--batch", 82), "at most 81"),
        (("--k", 500), "k is 500, but the database holds 81 images; choose at most 81"),
        (("--validation", 79), "choose at most 78"),
        (("--train-limit", 2), "need 3, 1 and 1"),
        (("--select", "validation"), "data.validation is 0"),
        (("--select", "validation", "--validation", 5), "needs labels"),
    ],
)
def test_what_was_chosen_and_cannot_be_is_refused_with_what_can(more, said, embeddings, tmp_path, capsys):
    assert train(embeddings(90), tmp_path / "run", *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "run" / "model.safetensors").exists()


@pytest.mark.parametrize("more", [("--batch", 81), ("--k", 81), ("--validation", 78), ("--train-limit", 3)])
def test_the_values_that_a_refusal_names_train(more, embeddings, tmp_path):
    assert train(embeddings(90), tmp_path / "run", *more) == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_images_are_refused_with_the_least_number(n, tmp_path, capsys):
    (tmp_path / "pictures").mkdir()
    for i in range(n):
        Image.new("RGB", (8, 8), (i, 99, 0)).save(tmp_path / "pictures" / f"{i}.png")
    assert train(tmp_path / "pictures", tmp_path / "run", dataset="folder") == 2
    assert " 4 " in capsys.readouterr().err


@pytest.mark.parametrize(
    "labels", [["a"] * 12, ["a", "b", *[""] * 10], ["a", *[""] * 11], [f"only {i}" for i in range(12)]]
)
def test_labels_of_any_kind_train_and_are_measured(labels, embeddings, tmp_path):
    """One class; nearly none; a single one; each image of a class of its own."""
    csv = labelled(tmp_path / "labels.csv", labels)
    assert train(embeddings(12), tmp_path / "run", "--labels", csv) == 0
    found = RunDir(tmp_path / "run").metrics()["modes"]["asymmetric"]["map"]
    classes = {label for label in labels if label}
    assert found == 1.0 if len(classes) == 1 and all(labels) else found is None or 0 <= found <= 1
    json.dumps(RunDir(tmp_path / "run").metrics(), allow_nan=False)


def test_few_queries_are_enough(embeddings, tmp_path):
    assert train(embeddings(90), tmp_path / "run", "--query-limit", 1, "--validation", 1) == 0
    assert RunDir(tmp_path / "run").metrics()["n_queries"] == 1


def test_settings_on_the_disk_are_fitted_from_the_first_moment(embeddings, tmp_path, monkeypatch):
    """So a training that died at once resumes with numbers that suit its images."""

    def died(*_):
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_train", died)
        config = RunConfig(data=DataConfig(dataset="embeddings", data=str(embeddings(90))))
        list(loop.run_training(config, tmp_path / "run", chosen=["data.data", "data.dataset"]))
    assert RunDir(tmp_path / "run").config.schedule.batch == 32
    assert main(["train", "--run", str(tmp_path / "run"), "--resume"]) == 0


def test_resuming_what_a_power_cut_left_empty_fits_the_settings_too(embeddings, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_bytes(b"")
    config = RunConfig(data=DataConfig(dataset="embeddings", data=str(embeddings(90))))
    list(loop.run_training(config, tmp_path / "run", resume=True, chosen=["data.data", "data.dataset"]))
    assert RunDir(tmp_path / "run").config.schedule.batch == 32


def test_a_record_from_before_reads_as_before():
    assert from_dict(RunConfig, to_dict(RunConfig())) == RunConfig()


def test_a_limit_of_the_training_images_alone_says_what_else_is_encoded(tmp_path, embeddings, capsys):
    assert train(embeddings(87), tmp_path / "short", "--train-limit", 20) == 0
    assert "78 of the 78 images of the database" in capsys.readouterr().err
    assert train(embeddings(87), tmp_path / "again", "--train-limit", 20) == 0
    assert "of the database are not encoded" not in capsys.readouterr().err


def test_the_check_names_the_setting():
    with pytest.raises(InputError) as caught:
        defaults.check_batch(10, 11)
    assert caught.value.setting == "schedule.batch"
