"""The Train form: numbers adapted to the images, problems beside their fields, settings in the address."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.pages.conftest import command, fill, opened, words
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
    """Makes a folder of n random images."""

    def make(n, classes=2):
        rng = np.random.default_rng(n)
        for i in range(n):
            path = tmp_path / f"images {n}" / f"class {i % classes}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(path)
        return str(tmp_path / f"images {n}")

    return make


def errors(app) -> str:
    """Texts of the error boxes, without Markdown escapes."""
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


def test_numbers_follow_the_images_until_the_visitor_sets_them(home, folder):
    app = fill(opened("train", dataset="folder", folder=folder(90)), train=20)
    assert app.number_input(key="set batch").value == 8 and startable(app)
    fill(app, batch=16)
    for images, can_start in ((40, True), (10, False)):
        fill(app, train=images)
        assert app.number_input(key="set batch").value == 16 and startable(app) == can_start
    assert "“Batch” is 16, more than the 10 training images; choose a batch of at most 10" in errors(app)


def test_chosen_default_values_are_spelled_out(home, folder):
    app = opened("train", dataset="folder", folder=folder(300), batch="256", epochs="6")
    assert startable(app) and "--epochs 6 --batch 256" in command(app)
    app.button(key="start").click().run()
    entry = json.loads((home / queue.waiting(home)[0].name / queue.QUEUED).read_text())
    assert "--epochs 6 --batch 256" in " ".join(entry["arguments"])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_images_name_the_least_number(n, home, folder):
    app = opened("train", dataset="folder", folder=folder(n))
    assert not startable(app) and " 4 " in errors(app)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"folder": "/gone"}, "/gone is not a folder"),
        ({"labels": "/gone.csv"}, "/gone.csv does not exist"),
        ({"batch": "200"}, "“Batch” is 200, more than the 81 training images"),
        ({"validation": "79"}, "“Validation images” is 79, but there are 81 training images; choose at most 78"),
        ({"train": "2"}, "4 in all"),
        ({"backbone": network.OTHER, "timm": "vit_tiny_patch16_224"}, "cannot be fetched"),
        ({"backbone": network.OTHER, "timm": "vit_tiny"}, "did you mean"),
        ({"name": "a/b"}, "a/b"),
    ],
)
def test_problems_are_explained_before_the_start_in_the_words_of_the_app(query, message, home, folder):
    app = opened("train", **{"dataset": "folder", "folder": folder(90), **query})
    assert message in errors(app), errors(app)
    assert "--" not in errors(app) and not startable(app)
    assert not queue.waiting(home)


@pytest.mark.parametrize("dataset", ["folder", "embeddings"])
def test_a_folder_or_file_not_given_yet_is_no_error_and_nothing_can_start(home, dataset):
    app = opened("train", dataset=dataset)
    assert any(info.value.startswith("Name the f") for info in app.info) and not app.error
    assert not startable(app) and not queue.waiting(home)


def test_choosing_by_validation_needs_validation_images_and_labels(home, folder):
    app = opened("train", dataset="folder", folder=folder(12), select="validation")
    assert "needs validation images" in errors(app) and not [b for b in app.button if b.key == "start"]
    assert startable(fill(app, validation=2))
    app = opened("train", dataset="folder", folder=folder(11, classes=1), select="validation", validation="2")
    assert "needs labels" in errors(app) and not startable(app)


def test_settings_are_restored_from_the_address(home, folder):
    path = folder(90)
    app = opened("train")
    assert not set(train_form.LINKED) & set(app.query_params)
    fill(fill(app, dataset="folder"), data=path)
    fill(app, bits=64, epochs=400, lr=0.01, learns="last-1")
    app.text_input(key="name").set_value("mine").run()
    link = {name: app.query_params[name] for name in train_form.LINKED if name in app.query_params}
    link = {name: value[0] if isinstance(value, list) else value for name, value in link.items()}
    assert set(link) == {"dataset", "folder", "bits", "epochs", "lr", "learns", "name"}
    again = opened("train", **link)
    assert command(again) == command(app) and again.text_input(key="name").value == "mine"


def test_nonsense_in_the_address_is_ignored(home):
    odd = {"dataset": "mine", "bits": "33", "epochs": "-1", "lr": "nan", "seed": "x", "learns": "", "batch": "1e9"}
    odd |= {"rule": "mine", "delta": "high", "tau": "-1", "treatment": "burn", "preset": "Fast"}
    assert command(opened("train", **odd)) == command(opened("train"))


def test_numbers_of_an_address_are_within_their_bounds():
    read = train_link.number(float, 0.0, 1.0)
    assert [read(text) for text in ("0.5", "0", "1", "1.1", "nan", "x", "")] == [0.5, 0, 1, None, None, None, None]
