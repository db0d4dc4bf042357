"""The Data sets page: images, missing files, stored data and indexing, for every layout, complete or damaged."""

import io
import os
import shutil
import time

import pytest
from PIL import Image

from tests.pages.conftest import keys, opened, words
from transclipped.config import DataConfig
from transclipped.datasets import storage
from transclipped.datasets.images import listing
from transclipped.datasets.images.check import Check
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.search import collection_job
from transclipped.ui import access, runs
from transclipped.ui.datasets import cached as datasets_cached
from transclipped.ui.datasets import choice
from transclipped.ui.datasets import folder as datasets_folder
from transclipped.ui.datasets import job as datasets_job
from transclipped.ui.text import plain
from transclipped.utils import jobs
from transclipped.utils.files import cache_dir, write_json
from transclipped.utils.jobs import JOB, LOG, PROGRESS
from transclipped.utils.machine import process_start


def noise(path, sigma, *, size=(30, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.effect_noise(size, sigma).convert("RGB").save(path)


@pytest.fixture
def album(tmp_path):
    """Twelve images in two folders, a copy, a text and an empty file."""
    root = tmp_path / "album"
    for i in range(12):
        noise(root / ("sea" if i % 2 else "city") / f"{i}.png", 40 + i, size=(60, 40))
    (root / "sea" / "copy.png").write_bytes((root / "sea" / "1.png").read_bytes())
    (root / "empty.png").touch()
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def own_cache_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TRANSCLIPPED_CACHE", str(tmp_path / "cache"))


def in_folder(folder, **query):
    """The page after a visitor has opened the folder in a link."""
    app = opened("datasets", set=query.pop("set", "folder"), folder=str(folder), **query)
    return app.button(key="open folder").click().run()


def typed(folder, labels=""):
    """The page after a visitor has typed a folder and pressed the button."""
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
    assert metric(app, "Training") == "50,000" and "mAP@1000" in words(app)
    assert "24 of 60,000 images" in words(app) and "Nothing leaves this machine" in words(app)
    assert {"Rows as JSON", "Rows as CSV"} <= {button.label for button in app.get("download_button")}


def test_protocol_in_the_address_changes_the_rows(finished):
    app = opened("datasets", protocol="II", seed="3")
    assert metric(app, "Training") == "5,000"
    assert "--protocol II --seed 3" in app.code[-1].value


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("mirflickr", "flickr25k_targets.txt"),
        ("nuswide", "Imagelist.txt"),
        ("fashionmnist", "t10k-labels-idx1-ubyte"),
        ("folder", "labels.csv"),
    ],
)
def test_a_missing_set_comes_with_its_layout(finished, name, file):
    app = opened("datasets", set=name)
    assert not app.error and any(file in code.value for code in app.code)


@pytest.mark.parametrize("name", sorted(choice.TITLES.keys() & set(choice.NEEDS_FOLDER)))
def test_labels_are_asked_for_where_a_set_takes_them(finished, tmp_path, name):
    """And what the address says about them is ignored elsewhere."""
    lists = tmp_path / "lists"
    config = DataConfig(dataset=name, data=str(tmp_path), labels=str(lists))
    with pytest.raises(InputError) as refusal:
        load(config)
    own = "has its own labels" in str(refusal.value)
    app = opened("datasets", set=name, folder=str(tmp_path), labels=str(lists))
    assert ("typed labels" in keys(app)) != own and not app.exception
    app.button(key="open folder").click().run()
    assert not app.exception and "has its own labels" not in words(app)
    assert (plain(lists) in words(app)) != own  # it does not exist


def test_collages_and_caltech_are_shown(finished):
    for name, labels in (("collage", "2.0 of 101 labels"), ("caltech101", "one of 101 classes")):
        app = opened("datasets", set=name)
        assert not app.error and labels in words(app)


def test_a_folder_is_opened_and_one_label_chosen(finished, album):
    app = in_folder(album)
    assert not app.error
    assert metric(app, "Images") == "13" and metric(app, "Labels") == "2"
    assert "2 files or lines cannot be used" in words(app)
    assert "sub-folders. 13 of 13 images" in words(app) and "2 different" in words(app)
    table = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert set(table["name"]) == {"empty.png", "notes.txt"}
    app.selectbox(key="only").set_value("sea").run()
    assert not app.exception and "7 of 7 images" in words(app)


def test_a_folder_without_labels_is_explained(finished, tmp_path):
    for i in range(5):
        noise(tmp_path / f"{i}.png", 50 + i)
    app = in_folder(tmp_path)
    assert not app.error and metric(app, "Labels") == "none"
    assert "training and search need none" in words(app)


@pytest.mark.parametrize("folder", ["/no/such/place", "notes.txt"])
def test_folder_that_is_gone_or_a_file_is_explained(finished, album, folder):
    app = in_folder(album / folder)
    assert not app.exception
    assert str(album / folder) in app.error[0].value
    assert any("labels.csv" in code.value for code in app.code)  # and how it should look


def test_a_changed_folder_is_reopened_and_a_moved_one_explained(finished, album):
    app = in_folder(album)
    Image.new("RGB", (30, 30), "teal").save(album / "sea" / "new.png")
    datasets_cached._stamp.clear()  # as after fifteen seconds
    assert metric(app.run(), "Images") == "14"
    album.rename(album.with_name("elsewhere"))
    datasets_cached._stamp.clear()
    app.run()
    assert not app.exception and "unplugged" in app.error[0].value


def test_wrong_csv_is_explained(finished, album):
    (album / "labels.csv").write_text("name,class\na,b\n")
    app = in_folder(album, labels=str(album / "labels.csv"))
    assert not app.exception and str(album / "labels.csv") in app.error[0].value


def test_missing_flickr_images_are_counted(finished, tmp_path):
    root = tmp_path / "flickr"
    for i in range(1, 31):
        noise(root / f"im{i}.jpg", 30 + i)
    (root / "flickr25k_img.txt").write_text("".join(f"im{i}.jpg\n" for i in range(1, 41)))
    (root / "flickr25k_targets.txt").write_text(("1 0" + " 0" * 22 + "\n") * 20 + ("0 1" + " 1" * 22 + "\n") * 20)
    app = in_folder(root, set="mirflickr")
    assert not app.error
    assert metric(app, "Images") == "30" and metric(app, "Queries") == "3"
    assert "10 listed images" in words(app)
    assert any("order of the 24 names is inferred" in note.value for note in app.info)
    for label, numbers in (("sky", "1\n2\n"), ("sky_r1", "1\n"), ("baby", "3\n"), ("baby_r1", "3\n")):
        (root / f"{label}.txt").write_text(numbers)
    strict = in_folder(root, set="mirflickr", annotations="relevant")
    assert not strict.error and metric(strict, "Labels") == "2"
    assert any("--annotations relevant" in code.value for code in strict.code)


def test_too_few_images_for_a_split_are_still_shown(finished, tmp_path):
    for name in ("a.png", "b.png"):
        noise(tmp_path / name, 50)
    app = in_folder(tmp_path)
    assert not app.error and "1 training" in app.warning[0].value and "2 of 2 images" in words(app)


def check_job(album) -> jobs.Job:
    return datasets_job.of(load(DataConfig(dataset="folder", data=str(album))).fingerprint)


def test_the_report_of_a_check_is_drawn(finished, album, own_cache_folder):
    images = load(DataConfig(dataset="folder", data=str(album)))
    for _ in Check(images).run():
        pass
    app = in_folder(album)
    assert not app.error and metric(app, "Decoded") == "13 of 13" and metric(app, "Duplicate files") == "1"
    assert "**Duplicate files**" in words(app)


def test_a_failed_check_gives_its_reason(finished, album, own_cache_folder):
    job = check_job(album)
    write_json(job.folder / JOB, {"pid": -1})
    (job.folder / LOG).write_text("transclipped: the disk was unplugged\n")
    app = in_folder(album)
    assert "the disk was unplugged" in app.error[0].value


def test_a_running_check_is_recognised_by_its_process(finished, album, own_cache_folder):
    job = check_job(album)
    process = {"pid": os.getpid(), "started": process_start(os.getpid())}
    progress = {"done": 4, "total": 13, "seconds": 2, **process}
    write_json(job.folder / PROGRESS, progress)
    assert job.running and job.status()["done"] == 4
    write_json(job.folder / PROGRESS, progress | {"started": "another boot 1"})
    assert not job.running
    (job.folder / PROGRESS).write_text("[]")
    assert not job.running


def test_the_cache_is_listed_and_cleared(finished, album, own_cache_folder):
    app = in_folder(album)
    app.run()
    assert "listings" in {kind.name for kind in storage.stored()}
    app.button(key="clear now").click().run()
    assert not app.exception and storage.stored() == [] and "MB were freed" in words(app)


def test_nonsense_in_the_address_is_ignored(finished):
    app = opened("datasets", set="imagenet", protocol="XII", seed="-4", only="unicorn")
    assert not app.error and metric(app, "Images") == "60,000"


def test_images_of_all_modes_are_drawn(finished, tmp_path):
    for i, mode in enumerate(("RGBA", "L", "1", "CMYK", "I;16")):
        buffer = io.BytesIO()
        Image.new(mode, (20, 20)).save(buffer, "TIFF" if mode == "CMYK" else "PNG")
        (tmp_path / f"{i}.bin").write_bytes(buffer.getvalue())
    app = in_folder(tmp_path)
    assert not app.error and metric(app, "Images") == "5"


# Your own folder


@pytest.fixture
def unread(monkeypatch):
    """Fails the test if any folder is read."""

    def refuse(root, **rest):
        raise AssertionError(f"{root} was read")

    monkeypatch.setattr(listing, "scan", refuse)
    monkeypatch.setattr(listing, "n_files", refuse)


@pytest.mark.parametrize("name", ["folder", "mirflickr", "nuswide"])
def test_an_address_alone_opens_no_folder(finished, album, unread, name):
    app = opened("datasets", set=name, folder=str(album), labels="/proc/self/environ")
    assert not app.error and not app.metric
    assert str(album) in words(app).replace("\\", "") and "/proc/self/environ" in words(app).replace("\\", "")
    assert app.button(key="open folder")


def test_a_folder_in_a_link_is_escaped(finished):
    folder = "/a![x](http://host/x.png)"
    app = opened("datasets", set="folder", folder=folder)
    assert f"Open **{plain(folder)}**?" in words(app) and "![" not in plain(folder)


def test_an_opened_folder_stays_open_but_another_link_needs_confirmation(finished, album, tmp_path):
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


def test_wrong_paths_are_explained_without_options_of_a_command(finished, album, tmp_path, own_cache_folder):
    noise(tmp_path / "one" / "a.png", 50)
    system = tmp_path / "system"
    for name in ("__MACOSX/._a.jpg", "thumbs/Thumbs.db", ".git/config", "empty/.keep"):
        (system / name).parent.mkdir(parents=True, exist_ok=True)
        (system / name).write_text("system")
    (tmp_path / "nothing").mkdir()
    folders = [tmp_path / "one", system, tmp_path / "nothing", album / "no", album / "notes.txt"]
    for path in [*folders, "relative/nowhere", "\0", "x" * 5000]:
        app = typed(path)
        assert not app.exception and len(app.error) == 1, path
        error = app.error[0].value
        assert "--data" not in error and "Traceback" not in error and "as data" not in error
        assert any("labels.csv" in code.value for code in app.code)
    assert not typed("").error
    app = typed(album, album / "no.csv")
    assert "no" in app.error[0].value and not app.metric


def test_unreadable_files_are_skipped(finished, album):
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    (album / "sea" / "1.png").chmod(0)
    app = typed(album)
    assert metric(app, "Images") == "12" and not app.error


def test_a_large_folder_is_scanned_by_a_process_before_it_opens(finished, album, own_cache_folder, monkeypatch):
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
def test_recognised_labels_are_described(finished, album, tmp_path, given):
    file = (tmp_path if given else album) / "labels.csv"
    file.write_text("file;tags\n" + "".join(f"{i}.png;a|b\n" for i in range(12)) + "gone.png;c\n")
    app = typed(album, file if given else "")
    assert not app.error and metric(app, "Labels") == "3"
    text = words(app)
    assert "12 of 13 images" in text and "semicolon" in text and "1 rows match no image" in text
    assert "a, b" in text and "*file*" in text and "*tags*" in text


def indexed(app):
    """The page after indexing its folder."""
    app.button(key="index").click().run()
    assert not app.exception and not app.error
    deadline = time.monotonic() + 120
    while any(job.state == "running" for job in collection_job.jobs(runs.home())) and time.monotonic() < deadline:
        time.sleep(0.1)
    return app.run()


def test_a_folder_is_indexed_by_a_button_and_stays_open_on_later_visits(finished, album):
    app = indexed(typed(album))
    assert not app.error and "13 images are indexed" in words(app)
    skipped = next(frame.value for frame in app.dataframe if "why" in frame.value)
    assert {"empty.png", "notes.txt"} <= set(skipped["name"])
    again = opened("datasets", set="folder", folder=str(album))  # another session, by the address
    assert metric(again, "Images") == "13" and again.button(key="search in it")
    listed = next(frame.value for frame in again.dataframe if "collection" in frame.value)
    assert listed["collection"].tolist() == ["album"] and listed["run"].tolist() == ["tiny"]
    assert listed["images"].tolist() == [13]


def test_from_an_indexed_folder_one_click_searches_maps_and_trains(finished, album, transformer_run):
    shutil.copytree(transformer_run, finished.parent / "newer")  # the first one, so the address names the other
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
    drawn = "".join(element.proto.body for element in app.get("html"))
    assert app.segmented_control(key="map_which").value == "album" and "13 images of" in drawn
    app = opened("datasets", set="folder", folder=str(album), run="tiny")
    app.button(key="train on it").click().run()
    assert app.title[0].value == "Train" and app.selectbox(key="set dataset").value == "folder"
    assert app.text_input(key="set data").value == str(album)


def encoding(finished, album, *, progress: dict | None = None, **job):
    """Folder of an encoding with this state."""
    path = finished.parent / "album"
    write_json(path / "job.json", {"run": str(finished.resolve()), "folder": str(album), "labels": None, **job})
    if progress:
        write_json(path / "progress.json", {"total": 13, "seconds": 2.0, **progress})
    return path


def test_cancelled_failed_and_interrupted_encodings_can_be_resumed_or_discarded(finished, album):
    failed = {"done": 3, "state": "failed", "error": "the disk is full"}
    for state, progress in (("stopped", None), ("failed", failed), ("interrupted", None)):
        path = encoding(finished, album, progress=progress, pid=-1, stopped=state == "stopped")
        app = opened("datasets", set="folder", folder=str(album))
        assert not app.exception and len(app.error) == (state == "failed") and len(app.warning) == (state != "failed")
        assert app.button(key="index").label == "Resume"
        app.button(key="forget index").click().run()
        assert not path.exists() and not app.exception


def test_a_running_encoding_is_followed_and_cancelled(finished, album, monkeypatch):
    process = {"pid": os.getpid(), "started": process_start(os.getpid())}
    encoding(finished, album, progress={"done": 4, "state": "running", **process}, **process)
    ended = []
    monkeypatch.setattr(jobs, "end_process", ended.append)
    app = opened("datasets", set="folder", folder=str(album))
    assert app.button(key="index").disabled
    app.button(key="cancel index").click().run()
    assert ended == [os.getpid()] and len(app.warning) == 1


def test_a_visitor_without_permission_starts_and_deletes_nothing(finished, album, monkeypatch):
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
