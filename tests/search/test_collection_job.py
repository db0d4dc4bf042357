"""A folder encoded in a separate process: finished, killed, cancelled, resumed."""

import json
import os
import shutil
import time

import numpy as np
import pytest

from transclipped.config import DataConfig
from transclipped.datasets.registry import load
from transclipped.errors import InputError
from transclipped.retrieval.store import Retrieval
from transclipped.runs.run import RunDir
from transclipped.search import collection_job as jobs
from transclipped.search.collection_list import read
from transclipped.utils.jobs import FAILED, FINISHED, INTERRUPTED, RUNNING, STOPPED
from transclipped.utils.machine import end_process, process_start

PATIENCE = 120  # seconds; a slow machine is no failure


@pytest.fixture
def folder(tmp_path):
    """Eight images."""
    images = load(DataConfig())
    (tmp_path / "my photos").mkdir()
    for row in range(8):
        (tmp_path / "my photos" / f"{row}.png").write_bytes(images.encoded(row))
    return tmp_path / "my photos"


@pytest.fixture
def home(tmp_path):
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


@pytest.fixture
def run(tiny_run):
    return RunDir(tiny_run)


def ended(path):
    """The job once its process is gone."""
    deadline = time.monotonic() + PATIENCE
    while (job := jobs.state(path)).state == RUNNING and time.monotonic() < deadline:
        time.sleep(0.1)
    return job


def written(path, *, progress=None, **job):
    """A job as files."""
    path.mkdir(parents=True)
    (path / "job.json").write_text(json.dumps({"run": "/r", "folder": "/f", "labels": None} | job))
    if progress is not None:
        (path / "progress.json").write_text(json.dumps(progress))
    return path


def itself():
    return {"pid": os.getpid(), "started": process_start(os.getpid())}


def test_a_folder_becomes_a_collection_which_is_updated(home, run, folder):
    (folder / "notes.txt").write_text("no image")
    job = jobs.start(home, run, folder, taken=["other"])
    assert (job.state, job.name, job.folder) == (RUNNING, "my-photos", str(folder))
    assert ended(job.path).state == FINISHED
    entry = read(job.path)
    assert (entry.n, entry.n_encoded, [name for name, _ in entry.skipped]) == (8, 8, ["notes.txt"])
    assert jobs.find(home, run, folder) == job.path
    shutil.copy(folder / "0.png", folder / "new.png")
    again = jobs.start(home, run, folder)
    assert again.path == job.path and ended(job.path).state == FINISHED
    assert (read(job.path).n, read(job.path).n_encoded) == (9, 1)


def test_killed_and_cancelled_encodings_resume_to_the_same_codes(home, run, folder, tmp_path):
    path = jobs.start(home, run, folder).path
    end_process(json.loads((path / "job.json").read_text())["pid"])
    assert ended(path).state == INTERRUPTED
    jobs.resume(path)
    jobs.cancel(path)
    assert jobs.state(path).state == STOPPED and read(path) is None
    jobs.resume(path)
    assert ended(path).state == FINISHED
    (tmp_path / "others").mkdir()
    other = ended(jobs.start(tmp_path / "others", run, folder).path).path
    first, second = (Retrieval.load(each / "retrieval.npz") for each in (path, other))
    np.testing.assert_array_equal(first.codes, second.codes)
    np.testing.assert_array_equal(first.database_ids, second.database_ids)


def test_one_image_is_refused_and_leaves_no_collection(home, run, folder):
    for row in range(1, 8):
        (folder / f"{row}.png").unlink()
    job = ended(jobs.start(home, run, folder).path)
    assert job.state == FAILED and str(folder) in job.error and "Traceback" not in job.error
    assert read(job.path) is None
    jobs.delete(job.path)
    assert not job.path.exists() and jobs.jobs(home) == []


def test_a_second_encoding_is_refused_while_one_is_running(home, run, folder, tmp_path):
    written(home / "busy", **itself())
    with pytest.raises(InputError, match="busy"):
        jobs.start(home, run, folder)
    assert {path.name for path in home.iterdir() if path.name[0] != "."} == {"busy"}  # no claimed name is left


def test_a_missing_folder_is_refused(home, run, folder):
    path = written(home / "gone", folder=str(folder / "nowhere"))
    with pytest.raises(InputError, match="nowhere"):
        jobs.resume(path)
    with pytest.raises(InputError, match="nowhere"):
        jobs.start(home, run, folder / "nowhere")


@pytest.mark.parametrize(
    ("job", "progress", "state"),
    [
        ({}, None, INTERRUPTED),
        ({"pid": -1}, None, INTERRUPTED),
        ({"pid": -1}, {"done": 3, "total": 8, "seconds": 1.5, "state": "running", "pid": -1}, INTERRUPTED),
        ({"pid": -1}, {"done": 8, "total": 8, "seconds": 2.0, "state": "finished", "pid": -1}, FINISHED),
        ({"pid": -1}, {"done": 1, "total": 8, "seconds": 2.0, "state": "failed", "error": "e", "pid": -1}, FAILED),
        ({"stopped": True}, {"done": 1, "total": 8, "seconds": 2.0, "state": "running", "pid": -1}, STOPPED),
        ({"stopped": True}, {"done": 8, "total": 8, "seconds": 2.0, "state": "finished", "pid": -1}, FINISHED),
        ({"pid": -1}, [], INTERRUPTED),
        ({"pid": -1}, {"done": "many"}, INTERRUPTED),
        ({"pid": None, "started": 3}, {"done": 1, "total": None, "seconds": 1}, INTERRUPTED),
    ],
)
def test_state_follows_from_its_files(home, job, progress, state):
    assert jobs.state(written(home / "one", progress=progress, **job)).state == state
    assert [each.path for each in jobs.jobs(home)] == [home / "one"]


def test_a_living_process_is_running_with_its_time_left(home):
    progress = {"done": 2, "total": 8, "seconds": 3.0, "state": "running", **itself()}
    job = jobs.state(written(home / "one", progress=progress, **itself()))
    assert (job.state, job.done, job.total, job.seconds_left) == (RUNNING, 2, 8, 9.0)
    reused = {**progress, "started": "another boot 1"}
    if process_start(os.getpid()) is not None:
        assert jobs.state(written(home / "two", progress=reused, **itself())).state == INTERRUPTED


def test_last_log_line_of_a_dead_process_is_reported(home):
    path = written(home / "one", pid=-1)
    (path / "log.txt").write_text("encoding: 3 of 8\nModuleNotFoundError: No module named 'timm'\n")
    assert jobs.state(path).error == "ModuleNotFoundError: No module named 'timm'"


def test_only_idle_collections_are_deleted(home, tiny_run):
    shutil.copytree(tiny_run, home / "run")
    (home / "plain").mkdir()
    written(home / "busy", **itself())
    for name in ("run", "plain", "busy", "nowhere"):
        with pytest.raises(InputError, match=name):
            jobs.delete(home / name)
    assert (home / "run" / "config.json").exists() and (home / "busy").exists()


FITTING = {
    "my photos (2)": "my-photos-2",
    "été": "été",
    "con": "images-con",
    "...": "images",
    "a/b": "a-b",
    "x" * 200: "x" * 60,
    "<b>![x](http://h)": "b-x-http-h",
    "名前": "名前",
    "photos_": "photos",
    "_photos": "photos",
    "x" * 59 + "-y": "x" * 59,
}


def test_a_folders_name_becomes_a_valid_one():
    assert {name: jobs._fit(name) for name in FITTING} == FITTING


def test_a_taken_name_is_numbered(home, run, folder, monkeypatch):
    monkeypatch.setattr(jobs, "_begin", lambda path, spec: path)
    (home / "my-photos-2").mkdir()
    assert jobs.start(home, run, folder, taken=["my-photos"]).name == "my-photos-3"
