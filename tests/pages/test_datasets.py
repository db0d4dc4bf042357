"""The Data sets page says what is here, what is missing and what is kept; in every layout, whole or broken."""

import io
import json
import os
import shutil
import time

import pytest
from PIL import Image

from tests.pages.conftest import opened, words
from transclipped.config import DataConfig
from transclipped.datasets import storage
from transclipped.datasets.images.check import Check
from transclipped.datasets.registry import load
from transclipped.ui.text import plain
from transclipped.utils import jobs
from transclipped.utils.files import cache_dir, write_json
from transclipped.utils.jobs import JOB, LOG, PROGRESS
from transclipped.utils.machine import process_start


@pytest.fixture
def album(tmp_path):
    """Twelve images in two folders, a copy, a text and an empty file."""
    root = tmp_path / "album"
    for i in range(12):
        path = root / ("sea" if i % 2 else "city") / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((60, 40), 40 + i).convert("RGB").save(path)
    (root / "sea" / "copy.png").write_bytes((root / "sea" / "1.png").read_bytes())
    (root / "empty.png").touch()
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def in_folder(folder, **query):
    """The page after a visitor opened the folder that a link names."""
    app = opened("datasets", set=query.pop("set", "folder"), folder=str(folder), **query)
    return app.button(key="open folder").click().run()


def typed(folder, labels=""):
    """The page after a visitor typed a folder and pressed the button."""
    app = opened("datasets", set="folder")
    app.text_input(key="typed folder").set_value(str(folder))
    app.text_input(key="typed labels").set_value(str(labels))
    return app.button(key="use folder").click().run()


def metric(app, label: str) -> str:
    return next(m.value for m in app.metric if m.label.startswith(label))


def test_first_screen_shows_the_bundled_images(finished):
    app = opened("datasets")
    assert not app.error
    assert metric(app, "Images") == "60,000" and metric(app, "Queries") == "10,000"
    assert metric(app, "Training") == "50,000" and "mAP@1,000" in words(app)
    assert "24 of 60,000 images" in words(app) and "Nothing leaves this machine" in words(app)


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
    app = in_folder(album)
    assert not app.error
    assert metric(app, "Images") == "13" and metric(app, "Labels") == "2"
    assert "2 files or lines cannot be used" in words(app)
    table = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert set(table["name"]) == {"empty.png", "notes.txt"}


def test_one_label_alone_can_be_shown(finished, album):
    app = in_folder(album)
    app.selectbox(key="only").set_value("sea").run()
    assert not app.exception and "7 of 7 images" in words(app)


def test_folder_without_labels_says_what_that_means(finished, tmp_path):
    for i in range(5):
        Image.effect_noise((30, 30), 50 + i).convert("RGB").save(tmp_path / f"{i}.png")
    app = in_folder(tmp_path)
    assert not app.error and metric(app, "Labels") == "none"
    assert "training and search need none" in words(app)


@pytest.mark.parametrize("folder", ["/no/such/place", "notes.txt"])
def test_folder_that_is_gone_or_a_file_is_explained(finished, album, folder):
    app = in_folder(album / folder)
    assert not app.exception
    assert str(album / folder) in app.error[0].value
    assert any("labels.csv" in code.value for code in app.code)  # and how it should look


def test_folder_that_moves_while_it_is_shown_is_explained(finished, album):
    from transclipped.ui.datasets import cached as datasets_cached

    app = in_folder(album)
    album.rename(album.with_name("elsewhere"))
    datasets_cached._stamp.clear()
    app.run()
    assert not app.exception and "unplugged" in app.error[0].value


def test_changed_folder_is_opened_anew(finished, album):
    from transclipped.ui.datasets import cached as datasets_cached

    app = in_folder(album)
    Image.new("RGB", (30, 30), "teal").save(album / "sea" / "new.png")
    datasets_cached._stamp.clear()  # as fifteen seconds do
    app.run()
    assert metric(app, "Images") == "14"


def test_wrong_csv_is_explained(finished, album):
    (album / "labels.csv").write_text("name,class\na,b\n")
    app = in_folder(album, labels=str(album / "labels.csv"))
    assert not app.exception and str(album / "labels.csv") in app.error[0].value


def test_flickr_tree_tells_what_is_missing(finished, tmp_path):
    root = tmp_path / "flickr"
    root.mkdir()
    for i in range(1, 31):
        Image.effect_noise((30, 30), 30 + i).convert("RGB").save(root / f"im{i}.jpg")
    (root / "flickr25k_img.txt").write_text("".join(f"im{i}.jpg\n" for i in range(1, 41)))
    (root / "flickr25k_targets.txt").write_text(("1 0" + " 0" * 22 + "\n") * 20 + ("0 1" + " 1" * 22 + "\n") * 20)
    app = in_folder(root, set="mirflickr")
    assert not app.error
    assert metric(app, "Images") == "30" and metric(app, "Queries") == "3"
    assert "10 listed images are not there" in words(app)
    assert any("order of the 24 names is inferred" in note.value for note in app.info)
    for label, numbers in (("sky", "1\n2\n"), ("sky_r1", "1\n"), ("baby", "3\n"), ("baby_r1", "3\n")):
        (root / f"{label}.txt").write_text(numbers)
    strict = in_folder(root, set="mirflickr", annotations="relevant")
    assert not strict.error and metric(strict, "Labels") == "2"
    assert any("--annotations relevant" in code.value for code in strict.code)


def test_too_few_images_for_a_split_are_still_shown(finished, tmp_path):
    for name in ("a.png", "b.png"):
        Image.effect_noise((30, 30), 50).convert("RGB").save(tmp_path / name)
    app = in_folder(tmp_path)
    assert not app.error and "1 training" in app.warning[0].value and "2 of 2 images" in words(app)


def test_report_of_a_check_is_shown(finished, album, own_cache_folder):
    images = load(DataConfig(dataset="folder", data=str(album)))
    for _ in Check(images).run():
        pass
    app = in_folder(album)
    assert not app.error and metric(app, "Decoded") == "13 of 13" and metric(app, "Same file twice") == "1"
    assert "The same file" in words(app)


def test_failed_check_tells_why(finished, album, own_cache_folder):
    from transclipped.ui.datasets import job as datasets_job

    images = load(DataConfig(dataset="folder", data=str(album)))
    job = datasets_job.of(images.fingerprint)
    write_json(job.folder / JOB, {"pid": -1})
    (job.folder / LOG).write_text("transclipped: the disk was unplugged\n")
    app = in_folder(album)
    assert "the disk was unplugged" in app.error[0].value


def test_check_that_goes_on_shows_how_far_it_is(finished, album, own_cache_folder):
    from transclipped.ui.datasets import job as datasets_job

    images = load(DataConfig(dataset="folder", data=str(album)))
    job = datasets_job.of(images.fingerprint)
    path = job.folder / PROGRESS
    path.parent.mkdir(parents=True)
    itself = {"pid": os.getpid(), "started": process_start(os.getpid())}
    path.write_text(json.dumps({"done": 4, "total": 13, "seconds": 2} | itself))
    assert job.running and job.status()["done"] == 4
    path.write_text(json.dumps({"done": 4, "total": 13, "seconds": 2} | itself | {"started": "another boot 1"}))
    assert not job.running
    path.write_text("[]")
    assert not job.running


def test_cache_is_told_and_cleared(finished, album, own_cache_folder):
    app = in_folder(album)
    app.run()
    assert "listings" in {kind.name for kind in storage.stored()}
    app.button(key="clear now").click().run()
    assert not app.exception and storage.stored() == [] and "MB are free again" in words(app)


def test_nonsense_in_the_address_is_ignored(finished):
    app = opened("datasets", set="imagenet", protocol="XII", seed="-4", only="unicorn")
    assert not app.error and metric(app, "Images") == "60,000"


def test_rows_can_be_downloaded(finished):
    app = opened("datasets")
    labels = [button.label for button in app.get("download_button")]
    assert "Rows as JSON" in labels and "Rows as CSV" in labels


def test_transparent_and_grey_images_are_drawn(finished, tmp_path):
    for i, mode in enumerate(("RGBA", "L", "1", "CMYK", "I;16")):
        buffer = io.BytesIO()
        Image.new(mode, (20, 20)).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
        (tmp_path / f"{i}.bin").write_bytes(buffer.getvalue())
    app = in_folder(tmp_path)
    assert not app.error and metric(app, "Images") == "5"


# Your own folder


@pytest.fixture
def unread(monkeypatch):
    """Fails the test where anything below a folder is looked at."""
    from transclipped.datasets.images import listing

    def refused(root, **rest):
        raise AssertionError(f"{root} was looked at")

    monkeypatch.setattr(listing, "scan", refused)
    monkeypatch.setattr(listing, "n_files", refused)


@pytest.mark.parametrize("name", ["folder", "mirflickr", "nuswide"])
def test_an_address_alone_opens_no_folder(finished, album, unread, name):
    app = opened("datasets", set=name, folder=str(album), labels="/proc/self/environ")
    assert not app.error and not app.metric
    assert str(album) in words(app).replace("\\", "") and "/proc/self/environ" in words(app).replace("\\", "")
    assert app.button(key="open folder")


def test_a_question_shows_an_address_as_text(finished):
    folder = "/a![x](http://host/x.png)"
    app = opened("datasets", set="folder", folder=folder)
    assert f"Open **{plain(folder)}**?" in words(app) and "![" not in plain(folder)


def test_what_was_opened_stays_open_but_another_link_asks_again(finished, album, tmp_path):
    app = in_folder(album)
    assert metric(app, "Images") == "13"
    app.run()
    assert metric(app, "Images") == "13"
    app.query_params["folder"] = str(tmp_path)
    app.run()
    assert not app.metric and app.button(key="open folder")


@pytest.mark.parametrize("form", ["{}", " {}/ ", '"{}"', "file://{}", "'{}/'"])
def test_a_typed_folder_is_opened_however_it_was_pasted(finished, album, form):
    app = typed(form.format(album))
    assert not app.error and metric(app, "Images") == "13"
    assert app.query_params["folder"] == str(album)


def test_dead_ends_are_sentences_without_options_of_a_command(finished, album, tmp_path, own_cache_folder):
    one = tmp_path / "one"
    one.mkdir()
    Image.new("RGB", (30, 30)).save(one / "a.png")
    system = tmp_path / "system"
    for name in ("__MACOSX/._a.jpg", "thumbs/Thumbs.db", ".git/config", "empty/.keep"):
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).write_text("system")
    (tmp_path / "nothing").mkdir()
    places = [
        one,
        system,
        tmp_path / "nothing",
        album / "no",
        album / "notes.txt",
        "relative/nowhere",
        "\0",
        "x" * 5000,
    ]
    for place in places:
        app = typed(place)
        assert not app.exception and len(app.error) == 1, place
        said = app.error[0].value
        assert "--data" not in said and "Traceback" not in said and "as data" not in said
        assert any("labels.csv" in code.value for code in app.code)
    assert not typed("").error
    app = typed(album, album / "no.csv")
    assert "no" in app.error[0].value and not app.metric


def test_unreadable_files_are_left_out_by_name(finished, album):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (album / "sea" / "1.png").chmod(0)
    app = typed(album)
    assert metric(app, "Images") == "12" and not app.error


def test_a_large_folder_is_looked_through_by_a_process_before_it_opens(finished, album, own_cache_folder, monkeypatch):
    from transclipped.ui.datasets import folder as datasets_folder
    from transclipped.ui.datasets import job as datasets_job

    monkeypatch.setattr(datasets_folder, "MANY", 5)
    datasets_folder._n_files.clear()
    app = typed(album)
    assert not app.metric and not app.error
    app.button(key="look through").click().run()
    assert not app.exception
    checks = [datasets_job.of(path.name) for path in (cache_dir() / "checks").iterdir()]
    deadline = time.monotonic() + 60
    while any(check.running for check in checks) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [check.status()["state"] for check in checks] == ["finished"]
    app.run()
    assert not app.error and metric(app, "Images") == "13"


@pytest.mark.parametrize("given", [False, True], ids=["beside", "typed"])
def test_labels_are_shown_as_they_were_recognised(finished, album, tmp_path, given):
    file = (tmp_path if given else album) / "labels.csv"
    file.write_text("file;tags\n" + "".join(f"{i}.png;a|b\n" for i in range(12)) + "gone.png;c\n")
    app = typed(album, file if given else "")
    assert not app.error and metric(app, "Labels") == "3"
    said = words(app)
    assert "12 of 13 images" in said and "semicolons" in said and "1 rows name no image" in said
    assert "a, b" in said and "*file*" in said and "*tags*" in said


def test_labels_from_sub_folders_are_shown_too(finished, album):
    said = words(typed(album))
    assert "the names of the sub-folders. 13 of 13 images" in said and "2 kinds" in said


def indexed(app):
    """The page after its folder was indexed."""
    from transclipped.search import collection_job
    from transclipped.ui import runs

    app.button(key="index").click().run()
    assert not app.exception and not app.error
    deadline = time.monotonic() + 120
    while any(job.state == "running" for job in collection_job.jobs(runs.home())) and time.monotonic() < deadline:
        time.sleep(0.1)
    return app.run()


def test_a_folder_is_indexed_by_a_button_and_stays_open_to_every_later_visit(finished, album):
    app = indexed(typed(album))
    assert not app.error and "13 images are indexed" in words(app)
    left_out = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert {"empty.png", "notes.txt"} <= set(left_out["name"])
    again = opened("datasets", set="folder", folder=str(album))  # another session, by the address
    assert metric(again, "Images") == "13" and again.button(key="search in it")
    listed = next(frame.value for frame in again.dataframe if "collection" in frame.value)
    assert listed["collection"].tolist() == ["album"] and listed["run"].tolist() == ["tiny"]
    assert listed["images"].tolist() == [13]


def test_from_an_indexed_folder_one_click_searches_maps_and_trains(finished, album, transformer_run):
    shutil.copytree(transformer_run, finished.parent / "newer")  # the first one, so the other stands in the address
    app = in_folder(album, run="tiny")
    app.selectbox(key="run that encodes").set_value("tiny").run()
    app = indexed(app)
    app.button(key="search in it").click().run()
    assert app.title[0].value == "Retrieval" and app.query_params["collection"] == "album"
    assert not app.error and "of 13 images" in words(app)
    app = opened("datasets", set="folder", folder=str(album), run="tiny")
    app.selectbox(key="run that encodes").set_value("tiny").run()
    app.button(key="map it").click().run()
    assert app.title[0].value == "Embeddings" and not app.error
    assert app.segmented_control(key="map_which").value == "album" and "13 images of" in words(app)
    app = opened("datasets", set="folder", folder=str(album), run="tiny")
    app.button(key="train on it").click().run()
    assert app.title[0].value == "Train" and app.selectbox(key="set dataset").value == "folder"
    assert app.text_input(key="set data").value == str(album)


def test_cancelled_failed_and_interrupted_encodings_can_go_on_or_be_forgotten(finished, album):
    for state, progress in (("stopped", None), ("failed", "failed"), ("interrupted", None)):
        path = finished.parent / "album"
        path.mkdir()
        job = {"run": str(finished.resolve()), "folder": str(album), "labels": None, "pid": -1}
        (path / "job.json").write_text(json.dumps(job | {"stopped": state == "stopped"}))
        if progress:
            told = {"done": 3, "total": 13, "seconds": 1.0, "state": "failed", "error": "the disk is full"}
            (path / "progress.json").write_text(json.dumps(told))
        app = opened("datasets", set="folder", folder=str(album))
        assert not app.exception and len(app.error) == (state == "failed") and len(app.warning) == (state != "failed")
        assert app.button(key="index").label == "Resume"
        app.button(key="forget index").click().run()
        assert not path.exists() and not app.exception


def test_an_encoding_that_goes_on_is_followed_and_cancelled(finished, album, monkeypatch):
    path = finished.parent / "album"
    path.mkdir()
    itself = {"pid": os.getpid(), "started": process_start(os.getpid())}
    job = {"run": str(finished.resolve()), "folder": str(album), "labels": None, **itself}
    (path / "job.json").write_text(json.dumps(job))
    told = {"done": 4, "total": 13, "seconds": 2.0, "state": "running", **itself}
    (path / "progress.json").write_text(json.dumps(told))
    ended = []
    monkeypatch.setattr(jobs, "end_process", ended.append)
    app = opened("datasets", set="folder", folder=str(album))
    assert app.button(key="index").disabled
    app.button(key="cancel index").click().run()
    assert ended == [os.getpid()] and len(app.warning) == 1


def test_a_visitor_who_may_not_starts_and_deletes_nothing(finished, album, monkeypatch):
    from transclipped.ui import access

    indexed(typed(album))
    monkeypatch.setattr(access, "may", lambda *act, **of: False)
    app = opened("datasets", set="folder", folder=str(album))
    assert app.button(key="index").disabled and app.button(key="search in it")
    app.button(key="delete collection").click().run()
    assert (finished.parent / "album" / "collection.json").exists() and app.error


def test_a_collection_is_deleted_and_its_images_stay(finished, album):
    app = indexed(typed(album))
    app.button(key="delete collection").click().run()
    assert not app.exception and not (finished.parent / "album").exists() and (album / "sea" / "1.png").exists()
    assert app.button(key="index").label == "Index it"
