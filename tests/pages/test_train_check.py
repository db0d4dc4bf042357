"""The Train form on whatever somebody brings: numbers that suit it, problems by their field, settings in the link."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.pages.conftest import command, opened, words
from transclipped.models import hub
from transclipped.training import queue
from transclipped.ui.train import check as train_check
from transclipped.ui.train import form as train_form
from transclipped.ui.train import link as train_link
from transclipped.ui.train import network


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch, no_worker):
    """No process, no network."""
    monkeypatch.setattr(hub, "reachable", lambda url: False)
    train_check._weights_problem.clear()


@pytest.fixture
def folder(tmp_path):
    """Folder of n drawn images."""

    def made(n, classes=2):
        rng = np.random.default_rng(n)
        for i in range(n):
            path = tmp_path / f"images {n}" / f"class {i % classes}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
        return str(tmp_path / f"images {n}")

    return made


def errors(app) -> str:
    """What boxes say, without the backslashes that keep Markdown off."""
    return "\n".join(error.value.replace("\\", "") for error in app.error)


def startable(app) -> bool:
    return not app.button(key="start").disabled


@pytest.mark.parametrize(("n", "batch", "epochs"), [(4, 2, 40), (12, 4, 20), (90, 32, 20), (300, 128, 20)])
def test_a_folder_of_any_size_can_be_started_at_once(n, batch, epochs, home, folder):
    app = opened("train", dataset="folder", folder=folder(n))
    assert startable(app) and not errors(app)
    assert f"--batch {batch}" in command(app) and f"--epochs {epochs}" in command(app)
    assert f"Batch {batch} and {epochs} epochs suit" in words(app)
    app.button(key="start").click().run()
    assert [w.name for w in queue.waiting(home)] == ["folder-adaptive-32-s0"]


def test_numbers_follow_the_images_until_somebody_chooses(home, folder):
    app = opened("train", dataset="folder", folder=folder(90))
    app.number_input(key="set train").set_value(20).run()
    assert app.number_input(key="set batch").value == 8 and startable(app)
    app.number_input(key="set batch").set_value(16).run()
    app.number_input(key="set train").set_value(40).run()
    assert app.number_input(key="set batch").value == 16 and startable(app)
    app.number_input(key="set train").set_value(10).run()
    assert app.number_input(key="set batch").value == 16 and not startable(app)
    assert "“Batch” is 16, but only 10 images train; choose a batch of at most 10" in errors(app)


def test_the_usual_values_may_be_chosen_and_are_spelled(home, folder):
    app = opened("train", dataset="folder", folder=folder(300), batch="256", epochs="6")
    assert startable(app) and "--epochs 6 --batch 256" in command(app)
    app.button(key="start").click().run()
    entry = json.loads((home / queue.waiting(home)[0].name / queue.QUEUED).read_text())
    assert "--epochs 6 --batch 256" in " ".join(entry["arguments"])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_images_say_the_least_number(n, home, folder):
    app = opened("train", dataset="folder", folder=folder(n))
    assert not startable(app) and " 4 " in errors(app)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"folder": "/gone"}, "/gone is not a folder"),
        ({"labels": "/gone.csv"}, "/gone.csv is not there"),
        ({"batch": "200"}, "“Batch” is 200, but only 81 images train"),
        ({"validation": "79"}, "“Validation images” is 79, but there are 81 training images; choose at most 78"),
        ({"train": "2"}, "4 in all"),
        ({"backbone": network.OTHER, "timm": "vit_tiny_patch16_224"}, "cannot be fetched"),
        ({"backbone": network.OTHER, "timm": "vit_tiny"}, "did you mean"),
        ({"name": "a/b"}, "a/b"),
    ],
)
def test_what_cannot_train_is_said_before_it_starts_in_the_words_of_the_app(query, said, home, folder):
    app = opened("train", **{"dataset": "folder", "folder": folder(90), **query})
    assert said in errors(app), errors(app)
    assert "--" not in errors(app) and not startable(app)
    assert not queue.waiting(home)


@pytest.mark.parametrize("dataset", ["folder", "embeddings"])
def test_a_folder_or_file_not_named_yet_is_no_error_and_nothing_can_start(home, dataset):
    app = opened("train", dataset=dataset)
    assert any(info.value.startswith("Name the f") for info in app.info) and not app.error
    assert not startable(app) and not queue.waiting(home)


def test_a_best_epoch_by_validation_needs_validation_images(home, folder):
    app = opened("train", dataset="folder", folder=folder(12), select="validation")
    assert "needs validation images" in errors(app) and not [b for b in app.button if b.key == "start"]
    app.number_input(key="set validation").set_value(2).run()
    assert startable(app)


def test_a_best_epoch_by_validation_needs_labels(home, folder):
    app = opened("train", dataset="folder", folder=folder(12, classes=1), select="validation", validation="2")
    assert "needs labels" in errors(app) and not startable(app)


def test_settings_are_in_the_address_and_come_back(home, folder):
    path = folder(90)
    app = opened("train")
    assert not set(train_form.LINKED) & set(app.query_params)
    app.selectbox(key="set dataset").set_value("folder").run()
    app.text_input(key="set data").set_value(path).run()
    app.segmented_control(key="set bits").set_value(64)
    app.number_input(key="set epochs").set_value(400)
    app.number_input(key="set lr").set_value(0.01)
    app.selectbox(key="set learns").set_value("last-1")
    app.text_input(key="name").set_value("mine").run()
    link = {name: app.query_params[name] for name in train_form.LINKED if name in app.query_params}
    link = {name: value[0] if isinstance(value, list) else value for name, value in link.items()}
    assert set(link) == {"dataset", "folder", "bits", "epochs", "lr", "learns", "name"}
    again = opened("train", **link)
    assert command(again) == command(app) and again.text_input(key="name").value == "mine"


def test_nonsense_in_the_address_is_passed_over(home):
    odd = {"dataset": "mine", "bits": "33", "epochs": "-1", "lr": "nan", "seed": "x", "learns": "", "batch": "1e9"}
    assert command(opened("train", **odd)) == command(opened("train"))


def test_numbers_of_an_address_are_within_their_bounds():
    read = train_link.number(float, 0.0, 1.0)
    assert [read(said) for said in ("0.5", "0", "1", "1.1", "nan", "x", "")] == [0.5, 0, 1, None, None, None, None]
