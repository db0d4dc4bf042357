"""The Data sets page says what is here, what is missing and what is kept; in every layout, whole or broken."""

import io
import json
import os

import pytest
from PIL import Image

from tests.pages.conftest import opened, words
from transclipped.config import DataConfig
from transclipped.datasets import storage
from transclipped.datasets.check import Check
from transclipped.datasets.registry import load
from transclipped.machine import process_start


@pytest.fixture
def album(tmp_path):
    """Twelve pictures in two folders, a copy, a text and an empty file."""
    root = tmp_path / "album"
    for i in range(12):
        path = root / ("sea" if i % 2 else "city") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((60, 40), 40 + i).convert("RGB").save(path)
    (root / "sea" / "copy.png").write_bytes((root / "sea" / "1.png").read_bytes())
    (root / "empty.png").touch()
    (root / "notes.txt").write_text("no picture")
    return root


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def metric(app, label: str) -> str:
    return next(m.value for m in app.metric if m.label.startswith(label))


def test_first_screen_shows_the_bundled_pictures(finished):
    app = opened("datasets")
    assert not app.error
    assert metric(app, "Pictures") == "60,000" and metric(app, "Queries") == "10,000"
    assert metric(app, "Training") == "50,000" and "mAP@1,000" in words(app)
    assert "24 of 60,000 pictures" in words(app) and "Nothing leaves this machine" in words(app)


def test_protocol_in_the_address_changes_the_rows(finished):
    app = opened("datasets", protocol="II", seed="3")
    assert metric(app, "Training") == "5,000"
    assert "--protocol II --seed 3" in app.code[-1].value


@pytest.mark.parametrize(
    ("name", "told"), [("mirflickr", "flickr25k_targets.txt"), ("nuswide", "Imagelist.txt"), ("folder", "labels.csv")]
)
def test_set_that_is_not_here_tells_how_to_get_it(finished, name, told):
    app = opened("datasets", set=name)
    assert not app.error and any(told in code.value for code in app.code)


def test_collages_and_caltech_are_shown(finished):
    for name, labels in (("collage", "2.0 of 101 labels"), ("caltech101", "one of 101 classes")):
        app = opened("datasets", set=name)
        assert not app.error and labels in words(app)


def test_folder_of_ones_own(finished, album):
    app = opened("datasets", set="folder", folder=str(album))
    assert not app.error
    assert metric(app, "Pictures") == "13" and metric(app, "Labels") == "2"
    assert "2 files or lines cannot be used" in words(app)
    table = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert set(table["name"]) == {"empty.png", "notes.txt"}


def test_one_label_alone_can_be_shown(finished, album):
    app = opened("datasets", set="folder", folder=str(album))
    app.selectbox(key="only").set_value("sea").run()
    assert not app.exception and "7 of 7 pictures" in words(app)


def test_folder_without_labels_says_what_that_means(finished, tmp_path):
    for i in range(5):
        Image.effect_noise((30, 30), 50 + i).convert("RGB").save(tmp_path / f"{i}.png")
    app = opened("datasets", set="folder", folder=str(tmp_path))
    assert not app.error and metric(app, "Labels") == "none"
    assert "training and search need none" in words(app)


@pytest.mark.parametrize("folder", ["/no/such/place", "notes.txt"])
def test_folder_that_is_gone_or_a_file_is_explained(finished, album, folder):
    app = opened("datasets", set="folder", folder=str(album / folder))
    assert not app.exception
    assert "is not a folder, or is gone" in app.error[0].value
    assert any("labels.csv" in code.value for code in app.code)  # and how it should look


def test_folder_that_moves_while_it_is_shown_is_explained(finished, album):
    from transclipped.ui import datasets_cached

    app = opened("datasets", set="folder", folder=str(album))
    album.rename(album.with_name("elsewhere"))
    datasets_cached._stamp.clear()
    app.run()
    assert not app.exception and "is gone" in app.error[0].value


def test_changed_folder_is_opened_anew(finished, album):
    from transclipped.ui import datasets_cached

    app = opened("datasets", set="folder", folder=str(album))
    Image.new("RGB", (30, 30), "teal").save(album / "sea" / "new.png")
    datasets_cached._stamp.clear()  # as fifteen seconds do
    app.run()
    assert metric(app, "Pictures") == "14"


def test_wrong_csv_is_explained(finished, album):
    (album / "labels.csv").write_text("name,class\na,b\n")
    app = opened("datasets", set="folder", folder=str(album), labels=str(album / "labels.csv"))
    assert not app.exception and "must begin with the line 'id,label'" in app.error[0].value


def test_flickr_tree_tells_what_is_missing(finished, tmp_path):
    root = tmp_path / "flickr"
    root.mkdir()
    for i in range(1, 31):
        Image.effect_noise((30, 30), 30 + i).convert("RGB").save(root / f"im{i}.jpg")
    (root / "flickr25k_img.txt").write_text("".join(f"im{i}.jpg\n" for i in range(1, 41)))
    (root / "flickr25k_targets.txt").write_text(("1 0" + " 0" * 22 + "\n") * 20 + ("0 1" + " 1" * 22 + "\n") * 20)
    app = opened("datasets", set="mirflickr", folder=str(root))
    assert not app.error
    assert metric(app, "Pictures") == "30" and metric(app, "Queries") == "3"
    assert "10 listed pictures are not there" in words(app)
    assert any("order of the 24 names is inferred" in note.value for note in app.info)
    for label, numbers in (("sky", "1\n2\n"), ("sky_r1", "1\n"), ("baby", "3\n"), ("baby_r1", "3\n")):
        (root / f"{label}.txt").write_text(numbers)
    strict = opened("datasets", set="mirflickr", folder=str(root), annotations="relevant")
    assert not strict.error and metric(strict, "Labels") == "2"
    assert any("--annotations relevant" in code.value for code in strict.code)


def test_too_few_pictures_for_a_split_are_still_shown(finished, tmp_path):
    for name in ("a.png", "b.png"):
        Image.effect_noise((30, 30), 50).convert("RGB").save(tmp_path / name)
    app = opened("datasets", set="folder", folder=str(tmp_path))
    assert not app.error and "1 training" in app.warning[0].value and "2 of 2 pictures" in words(app)


def test_report_of_a_check_is_shown(finished, album, own_cache_folder):
    images = load(DataConfig(dataset="folder", data=str(album)))
    for _ in Check(images).run():
        pass
    app = opened("datasets", set="folder", folder=str(album))
    assert not app.error and metric(app, "Decoded") == "13 of 13" and metric(app, "Same file twice") == "1"
    assert "The same file" in words(app)


def test_failed_check_tells_why(finished, album, own_cache_folder):
    from transclipped.ui import datasets_job

    images = load(DataConfig(dataset="folder", data=str(album)))
    log = datasets_job._file(images.fingerprint, "log")
    log.parent.mkdir(parents=True)
    log.write_text("transclipped: the disk was unplugged\n")
    app = opened("datasets", set="folder", folder=str(album))
    assert "the disk was unplugged" in app.error[0].value


def test_check_that_goes_on_shows_how_far_it_is(finished, album, own_cache_folder):
    from transclipped.ui import datasets_job

    images = load(DataConfig(dataset="folder", data=str(album)))
    path = datasets_job._file(images.fingerprint, "progress.json")
    path.parent.mkdir(parents=True)
    itself = {"pid": os.getpid(), "started": process_start(os.getpid())}
    path.write_text(json.dumps({"done": 4, "total": 13, "seconds": 2} | itself))
    assert datasets_job.running(images.fingerprint) and datasets_job.progress(images.fingerprint)["done"] == 4
    path.write_text(json.dumps({"done": 4, "total": 13, "seconds": 2} | itself | {"started": "another boot 1"}))
    assert not datasets_job.running(images.fingerprint) or process_start(os.getpid()) is None
    path.write_text("[]")
    assert not datasets_job.running(images.fingerprint)


def test_cache_is_told_and_cleared(finished, album, own_cache_folder):
    app = opened("datasets", set="folder", folder=str(album))
    app.run()
    assert "listings" in {kind.name for kind in storage.stored()}
    app.button(key="clear now").click().run()
    assert not app.exception and storage.stored() == [] and "MB are free again" in words(app)


def test_nonsense_in_the_address_is_ignored(finished):
    app = opened("datasets", set="imagenet", protocol="XII", seed="-4", only="unicorn")
    assert not app.error and metric(app, "Pictures") == "60,000"


def test_rows_can_be_downloaded(finished):
    app = opened("datasets")
    labels = [button.label for button in app.get("download_button")]
    assert "Rows as JSON" in labels and "Rows as CSV" in labels


def test_transparent_and_grey_pictures_are_drawn(finished, tmp_path):
    for i, mode in enumerate(("RGBA", "L", "1", "CMYK", "I;16")):
        buffer = io.BytesIO()
        Image.new(mode, (20, 20)).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
        (tmp_path / f"{i}.bin").write_bytes(buffer.getvalue())
    app = opened("datasets", set="folder", folder=str(tmp_path))
    assert not app.error and metric(app, "Pictures") == "5"
