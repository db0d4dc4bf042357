"""Every page in every state: no run, a finished one, half of one, a failed one, damaged files. Never a traceback."""

import os
import shutil

import pytest

from tests.pages.conftest import PAGES, arrived, opened, unfinish, words
from transclipped.runs import manage
from transclipped.runs.run import RunDir

FILES = ("config.json", "metrics.json", "retrieval.npz", "status.json", "model.safetensors", "events.jsonl")


@pytest.mark.parametrize("page", PAGES)
def test_without_any_run_a_page_says_what_to_do(home, page):
    said = words(opened(page))
    assert "No run yet" in said or "no run" in said or "Train" in said


@pytest.mark.parametrize("page", PAGES)
def test_finished_run(finished, page):
    app = opened(page)
    assert app.selectbox(key="run").value == "tiny"
    assert not app.error, [e.value for e in app.error]
    assert f"{RunDir(finished).metrics()['modes']['asymmetric']['map']:.3f}" in words(app)


@pytest.mark.parametrize("state", ["stopped", "failed", "interrupted"])
@pytest.mark.parametrize("page", PAGES)
def test_half_finished_run(finished, page, state):
    unfinish(finished, state=state, error="the disk was full")
    said = words(opened(page))
    if state == "failed" and page in ("train", "clipping", "retrieval"):
        assert "the disk was full" in said


@pytest.mark.parametrize("damaged", FILES)
@pytest.mark.parametrize("page", PAGES)
def test_damaged_file(finished, page, damaged):
    (finished / damaged).write_bytes(b"\x00not what it was")
    opened(page)


@pytest.mark.parametrize("missing", FILES)
@pytest.mark.parametrize("page", PAGES)
def test_missing_file(finished, page, missing):
    (finished / missing).unlink()
    opened(page)


@pytest.mark.parametrize("page", PAGES)
def test_nonsense_in_the_address_is_named_and_something_else_shown(finished, page):
    app = arrived(page, run="gone", delta="mountain", rule="none of these", query="-7", hit="x")
    assert app.selectbox(key="run").value == "tiny"
    assert "no run *gone* here" in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_run_that_went_is_replaced_on_all_of_a_page_and_named(finished, home, page):
    shutil.copytree(finished, home / "zebra")
    app = arrived(page, run="zebra")
    assert app.selectbox(key="run").value == "zebra" and not app.warning
    shutil.rmtree(home / "zebra")
    app.run()
    assert app.selectbox(key="run").value == "tiny" and not app.exception
    assert app.selectbox(key="run").proto.set_value  # or the browser's box would go on reading zebra
    assert "no run *zebra* here" in words(app)


@pytest.mark.parametrize("page", PAGES)
def test_a_link_to_a_former_name_opens_the_renamed_run(finished, home, page):
    shutil.copytree(finished, home / "aardvark")
    os.utime(home / "aardvark" / "config.json", (4e9, 4e9))  # the newest, so the one that no address need name
    manage.rename(RunDir(finished), "zebra")
    app = arrived(page, run="tiny")
    assert app.selectbox(key="run").value == "zebra" and app.query_params["run"] == "zebra"
    assert "Run *tiny* is called *zebra* now" in words(app)
    manage.rename(RunDir(home / "zebra"), "okapi")
    assert app.run().selectbox(key="run").value == "okapi" and not app.exception
    assert "Run *zebra* is called *okapi* now" in words(app)


def test_bad_setting_on_train_is_explained(finished):
    app = opened("train")
    app.text_input[0].set_value("a/b").run()
    assert not app.exception
    assert app.button(key="start").disabled
    assert "a/b" in words(app).replace("\\", "")


def test_upload_that_is_no_picture_is_refused_in_a_sentence(finished):
    app = opened("retrieval")
    app.segmented_control(key="how").set_value("upload").run()
    app.file_uploader[0].upload("notes.txt", b"not a picture", "text/plain").run()
    assert not app.exception
    assert "notes.txt" in words(app)
